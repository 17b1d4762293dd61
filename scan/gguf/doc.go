// Package gguf reads GGUF, the container of llama.cpp: a header of key-value
// pairs, a table of tensors, and the tensors.
//
//	"GGUF"  version  tensor count  pair count
//	pairs    key, type, value; arrays and strings carry their length
//	tensors  name, dimensions, type, offset into the data
//	data     aligned to general.alignment
//
// Nothing in a GGUF file is code for llama.cpp itself. Two things make it
// dangerous all the same. The chat templates under tokenizer.chat_template and
// tokenizer.chat_template.<name> are Jinja programs, which llama-cpp-python
// rendered without a sandbox (CVE-2024-34359); every string that can be a
// template is handed on. And readers in C believed counts and lengths: a
// header with a count that overflows a multiplication overwrites the heap
// (CVE-2024-21802, -21825, -21836, -23496, -23605). Counts and lengths are
// compared with what is left of the file before anything is done with them;
// those that no file can have are taken for such an attack, those that a
// download which broke off explains make the file malformed.
//
// Only the header is read, some megabytes for a vocabulary of 150 000 tokens,
// and nothing of the tensors.
//
// All versions are read: 1 with 32-bit lengths, 2 and 3 with 64-bit ones, 3 in
// both byte orders. The containers before GGUF (ggml, ggmf, ggjt, ggla), which
// whisper.cpp's models still use, hold numbers and a vocabulary: they are
// recognised and that is all.
//
// The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md.
package gguf
