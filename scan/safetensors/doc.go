// Package safetensors reads safetensors, the format for weights that was made
// to be safe to load: eight bytes of length, a JSON header, raw tensors.
//
//	u64 little-endian n, at most 100 000 000
//	n bytes of JSON, padded with blanks:
//	  {"__metadata__": {"key": "text"},
//	   "name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}}
//	the tensors' bytes, in which offsets count from 0
//
// Nothing in such a file runs. What goes wrong with it:
//
//   - Readers differ. The reference implementation insists that the tensors
//     fill the file without gaps or overlaps, that sizes follow from shapes
//     and that names are unique; others (MLX, tinygrad, stable-diffusion.cpp,
//     web viewers) check less. A header that they read differently, or that
//     overflows their arithmetic, is an attack on a check or on a reader.
//   - A place to hide. Holes between tensors, bytes behind them and behind the
//     JSON belong to nobody; metadata are free text that tools read back,
//     render as templates, or unpickle. What lies there is handed on to the
//     scanners of what it is.
//   - A safe name. A pickle or a zip called model.safetensors is judged by its
//     own scanner; here only the content counts.
//
// Files on the Hub have long paddings, any metadata, empty tensors and headers
// in any order of names; those pass. An incomplete download is malformed.
//
// The format: https://github.com/huggingface/safetensors (README, "Format",
// and safetensors/src/tensor.rs).
package safetensors
