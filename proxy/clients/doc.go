// Package clients proves the product with the programs that people download
// models with. It holds tests only.
//
// Nothing here is faked between the client and the product:
//
//	curl, git, node, ... -> modelwall serve -> hop -> hubtest
//	   a process             a process          in the test's process
//
// The client finds its proxy and its trust store in the variables that
// `modelwall env` prints, as it would on a developer's machine, and believes
// that it talks to the real Hub. Every test ends with what must hold whatever
// the client did: the server stops cleanly, no token reached a host it was not
// meant for, the log or the disk, nobody was lured to Xet, and each blob that
// is kept is what its name says.
//
// The programs are Debian's aria2, curl, git, git-lfs, nodejs, npm, python3 and
// wget; the JavaScript clients are listed in testdata/node/package.json and
// installed by npm. A missing one skips its tests, and fails them where
// MODELWALL_TEST_REQUIRE is set.
package clients
