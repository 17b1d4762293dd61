package rdata

import "strings"

// nameID is a place in the table of names; 0 is any name without traits.
type nameID uint16

// name is a variable's name that matters.
type name struct {
	text   string
	traits traits
}

// traits say what a function of R's does for whoever wrote the file.
type traits uint16

const (
	starts     traits = 1 << iota // starts a program or loads native code
	connects                      // opens a network connection
	touches                       // writes, removes or runs files
	evaluates                     // makes code of a text and runs it
	decodes                       // makes a text or an object of other data
	finds                         // takes a function by its name, as a string
	functional                    // calls a function that it is given
	qualifies                     // pkg::name
	autoRun                       // runs by itself when it is the name of a function in a workspace
	hides                         // is used by everybody, also before a look at the workspace
	maps                          // an ALTREP class that maps a file
	common                        // also the name of many a variable
)

// maxName is longer than each of the names, in bytes.
const maxName = 32

// names returns the table. Place 0 is empty.
func names() []name {
	table := []name{{}}
	at := map[string]int{}
	for _, group := range [...]struct {
		traits traits
		names  string
	}{
		{starts, `system system2 shell shell.exec pipe dyn.load library.dynam sourceCpp cppFunction evalCpp
			py_run_string py_run_file py_eval source_python exec_wait exec_background exec_internal rscript rcmd
			browseURL .jcall .jnew`},
		{common, `shell pipe source url`},
		{connects, `download.file url socketConnection serverSocket socketAccept make.socket curl_download
			curl_fetch_memory curl_fetch_disk getURL url.show nsl install.packages install_github`},
		{touches, `unlink file.remove file.rename file.copy file.append file.symlink writeLines writeBin sink
			source sys.source Sys.chmod`},
		{evaluates, `parse str2lang str2expression`},
		{decodes, `rawToChar intToUtf8 utf8ToInt chartr base64decode base64_dec base64_decode memDecompress unserialize
			strtoi packBits bitwXor`},
		{finds | functional, `get get0 mget do.call match.fun getFromNamespace getExportedValue getAnywhere dynGet
			as.name as.symbol call as.call sym`},
		{functional, `lapply sapply vapply Map Reduce Filter mapply tryCatch try Recall eval evalq`},
		{qualifies, `:: :::`},
		{autoRun, `.First .Last .First.sys .Last.sys .onLoad .onAttach .First.lib`},
		{hides, `print c list library require load readRDS predict summary data.frame q quit ( { <- = + - * / [ [[ $ if for
			while function return stop warning cat paste names length rm ls source eval str head attach`},
		{maps, `mmap_integer mmap_real`},
	} {
		for n := range strings.FieldsSeq(group.names) {
			if i, ok := at[n]; ok {
				table[i].traits |= group.traits
				continue
			}
			at[n] = len(table)
			table = append(table, name{n, group.traits})
		}
	}
	return table
}
