package sample

import "encoding/binary"

// A pickle is a program for a small stack machine
// (https://github.com/python/cpython/blob/main/Lib/pickletools.py describes
// every opcode). The danger lies in two of them: GLOBAL imports any name of
// any module, and REDUCE calls what is on the stack.

// Assembler writes a pickle, opcode by opcode. The zero value is ready.
type Assembler struct {
	code []byte
	memo uint32
}

func (a *Assembler) op(code ...byte) *Assembler {
	a.code = append(a.code, code...)
	return a
}

// Proto announces the protocol.
func (a *Assembler) Proto(version byte) *Assembler { return a.op(0x80, version) }

// Global pushes module.name.
func (a *Assembler) Global(module, name string) *Assembler {
	a.op('c')
	return a.op([]byte(module + "\n" + name + "\n")...)
}

// Text pushes a string.
func (a *Assembler) Text(s string) *Assembler {
	a.op('X')
	a.code = binary.LittleEndian.AppendUint32(a.code, uint32(len(s)))
	return a.op([]byte(s)...)
}

// Int pushes an integer of up to 32 bits in the shortest form.
func (a *Assembler) Int(n int32) *Assembler {
	switch {
	case n >= 0 && n < 1<<8:
		return a.op('K', byte(n))
	case n >= 0 && n < 1<<16:
		return a.op('M', byte(n), byte(n>>8))
	}
	a.op('J')
	a.code = binary.LittleEndian.AppendUint32(a.code, uint32(n))
	return a
}

// Put keeps the top of the stack in the next slot of the memo.
func (a *Assembler) Put() *Assembler {
	slot := a.memo
	a.memo++
	if slot < 1<<8 {
		return a.op('q', byte(slot))
	}
	a.op('r')
	a.code = binary.LittleEndian.AppendUint32(a.code, slot)
	return a
}

// Mark pushes a mark, the start of a list of items.
func (a *Assembler) Mark() *Assembler { return a.op('(') }

// Tuple makes a tuple of the items down to the mark.
func (a *Assembler) Tuple() *Assembler { return a.op('t') }

// Tuple1 makes a tuple of the top of the stack.
func (a *Assembler) Tuple1() *Assembler { return a.op(0x85) }

// EmptyTuple pushes ().
func (a *Assembler) EmptyTuple() *Assembler { return a.op(')') }

// EmptyDict pushes {}.
func (a *Assembler) EmptyDict() *Assembler { return a.op('}') }

// EmptyList pushes [].
func (a *Assembler) EmptyList() *Assembler { return a.op(']') }

// NewFalse pushes False.
func (a *Assembler) NewFalse() *Assembler { return a.op(0x89) }

// Reduce calls the callable below with the tuple on top.
func (a *Assembler) Reduce() *Assembler { return a.op('R') }

// Build sets the state of the object below from the top.
func (a *Assembler) Build() *Assembler { return a.op('b') }

// SetItem adds the key and value on top to the dict below.
func (a *Assembler) SetItem() *Assembler { return a.op('s') }

// SetItems adds the keys and values down to the mark to the dict below it.
func (a *Assembler) SetItems() *Assembler { return a.op('u') }

// Appends adds the items down to the mark to the list below it.
func (a *Assembler) Appends() *Assembler { return a.op('e') }

// Pop drops the top of the stack.
func (a *Assembler) Pop() *Assembler { return a.op('0') }

// BinPersID asks the loader for the object with the id on top.
func (a *Assembler) BinPersID() *Assembler { return a.op('Q') }

// Raw appends bytes as they are, opcodes or not.
func (a *Assembler) Raw(b ...byte) *Assembler { return a.op(b...) }

// Stop ends the program and returns it.
func (a *Assembler) Stop() []byte { return a.op('.').Bytes() }

// Bytes is the program so far.
func (a *Assembler) Bytes() []byte { return append([]byte(nil), a.code...) }

// payload pushes the result of os.system("echo ..."), by the module's name on
// Linux.
func payload(a *Assembler) *Assembler {
	return a.Global("posix", "system").Put().
		Text("echo this is a Modelwall sample and does nothing").Put().
		Tuple1().Put().Reduce().Put()
}

// PickleClean is a pickle of plain data, as a script keeps its settings.
func PickleClean() []byte {
	a := new(Assembler).Proto(2).EmptyDict().Put().Mark()
	a.Text("epochs").Put().Int(12)
	a.Text("classes").Put().EmptyList().Put().Mark().Text("cat").Put().Text("dog").Put().Appends()
	a.Text("seed").Put().Int(70_000)
	return a.SetItems().Stop()
}

// PickleMalicious calls os.system when it is loaded.
func PickleMalicious() []byte {
	return payload(new(Assembler).Proto(2)).Stop()
}

// BrokenPickle calls os.system and is damaged right behind that: a loader has
// run the payload by the time it fails, and a scanner that wants a whole
// pickle sees an error and no import.
func BrokenPickle() []byte {
	a := payload(new(Assembler).Proto(2)).Pop()
	a.EmptyDict().Put().Mark().Text("model").Put()
	// A string that announces 4 GiB, then bytes that are no opcodes.
	return a.Raw('X', 0xff, 0xff, 0xff, 0xff, 0xfe, 0xfd, 0xfc).Bytes()
}

// Tensor is a float32 tensor of a checkpoint.
type Tensor struct {
	Name  string
	Shape []int32
}

func (t Tensor) elements() int32 {
	n := int32(1)
	for _, d := range t.Shape {
		n *= d
	}
	return n
}

// StateDict is the data.pkl of torch.save(model.state_dict()): an OrderedDict
// of tensors whose numbers lie in the storages "0", "1", ... of the archive.
func StateDict(tensors ...Tensor) []byte {
	return stateDict(new(Assembler).Proto(2), tensors)
}

func stateDict(a *Assembler, tensors []Tensor) []byte {
	ordered := func() { a.Global("collections", "OrderedDict").Put().EmptyTuple().Reduce().Put() }
	ordered()
	a.Mark()
	for i, t := range tensors {
		n := t.elements()
		a.Text(t.Name).Put().Global("torch._utils", "_rebuild_tensor_v2").Put().Mark()
		a.Mark().Text("storage").Put().Global("torch", "FloatStorage").Put().
			Text(itoa(i)).Put().Text("cpu").Put().Int(n).Tuple().Put().BinPersID()
		a.Int(0) // offset in the storage
		a.Mark()
		for _, d := range t.Shape {
			a.Int(d)
		}
		a.Tuple().Put().Mark()
		stride := n
		for _, d := range t.Shape {
			stride /= max(d, 1)
			a.Int(stride)
		}
		a.Tuple().Put().NewFalse() // requires no gradient
		ordered()                  // backward hooks
		a.Tuple().Put().Reduce().Put()
	}
	a.SetItems()
	a.EmptyDict().Put().Text("_metadata").Put()
	ordered()
	return a.SetItem().Build().Stop()
}
