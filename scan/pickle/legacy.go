package pickle

import "encoding/binary"

// torchMagic is the number that begins torch's older format, as LONG1 spells
// it: five pickles (this number, the protocol version, sys_info, the object,
// the list of storage keys), then for each key the raw storage.
var torchMagic = [...]byte{0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19}

const (
	torchVersion    = 1001
	torchPickles    = 5
	maxStorages     = 100_000
	storageIDLength = 512
	maxKeys         = 4 << 20 // bytes of keys
)

// storage is what a persistent id of the object pickle says.
type storage struct {
	count   int64
	element int64
}

// elementSizes by the name of the storage class.
func elementSize(class string) int64 {
	switch class {
	case "DoubleStorage", "LongStorage", "ComplexFloatStorage":
		return 8
	case "FloatStorage", "IntStorage", "QInt32Storage":
		return 4
	case "HalfStorage", "BFloat16Storage", "ShortStorage":
		return 2
	case "CharStorage", "ByteStorage", "BoolStorage", "QInt8Storage", "QUInt8Storage", "QUInt4x2Storage", "QUInt2x4Storage", "UntypedStorage":
		return 1
	case "ComplexDoubleStorage":
		return 16
	}
	return 0
}

// persistent returns what torch's persistent_load gives for an id: a storage,
// or for ('module', class, file, source) that class. Of ids of the form
// ('storage', class, key, location, count, view) it remembers the sizes.
func (m *machine) persistent(id value) value {
	m.scratch[0] = id
	v := m.filled(kindPersistent, m.scratch[:1])
	items, whole := id.items()
	if id.kind() != kindTuple || !whole || len(items) < 2 || items[1].kind() != kindGlobal {
		return v
	}
	switch tag, _ := m.text(items[0], 16); tag {
	case "module":
		return items[1]
	case "storage":
		m.noteStorage(items)
	}
	return v
}

func (m *machine) noteStorage(items []value) {
	if len(items) < 5 || items[4].kind() != kindInt || len(m.storages) >= maxStorages {
		return
	}
	key, ok := m.text(items[2], storageIDLength)
	if !ok {
		return
	}
	if m.storages == nil {
		m.storages = map[string]storage{}
	}
	if _, known := m.storages[key]; !known {
		if m.keys += len(key); m.keys > maxKeys {
			return
		}
	}
	m.storages[key] = storage{items[4].int(), elementSize(m.names.list[items[1].index()].name)}
}

// skipStorages moves behind the raw storages of torch's older format, which
// no loader executes, if they are all there as the pickles say.
func (m *machine) skipStorages() bool {
	at := m.pos()
	for _, v := range m.list {
		key, ok := m.text(v, storageIDLength)
		s, known := m.storages[key]
		if !ok || !known || s.element == 0 || s.count < 0 || s.count > m.file.Size {
			return false
		}
		head := m.peek(at, 8)
		if len(head) < 8 || int64(binary.LittleEndian.Uint64(head)) != s.count {
			return false
		}
		if at += 8 + s.count*s.element; at > m.file.Size {
			return false
		}
	}
	m.seek(at)
	return true
}
