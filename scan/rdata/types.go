package rdata

// The types of objects, as the low byte of their flags.
const (
	symbol        = 1
	pairlist      = 2
	closure       = 3
	environment   = 4
	promise       = 5
	language      = 6
	special       = 7
	builtin       = 8
	chars         = 9
	logical       = 10
	integer       = 13
	double        = 14
	complexes     = 15
	character     = 16
	dots          = 17
	list          = 19
	expression    = 20
	byteCode      = 21
	externalPtr   = 22
	weakRef       = 23
	raw           = 24
	s4            = 25
	altrep        = 238
	pairlistAttr  = 239
	languageAttr  = 240
	baseEnv       = 241
	emptyEnv      = 242
	repeatRef     = 243
	repeatDef     = 244
	persistent    = 247
	packageEnv    = 248
	namespace     = 249
	baseNamespace = 250
	missingArg    = 251
	unbound       = 252
	globalEnv     = 253
	nilValue      = 254
	reference     = 255
)

// Bits of the flags.
const (
	hasAttributes = 1 << 9
	hasTag        = 1 << 10
	activeBinding = 1 << 15 // of the levels
)

func kind(flags int32) int32   { return flags & 0xff }
func levels(flags int32) int32 { return int32(uint32(flags) >> 12) }
