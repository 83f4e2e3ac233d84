/// The interfaces of storages: providers of schemes, places that list and open, files that are read at offsets, and
/// what a file may be able to do besides. Every byte of a checkpoint comes through these interfaces; fst-core brings
/// local files. Third parties prove theirs with the storage rules of fst-testkit.
@NullMarked
package io.fastsafetensors.spi.storage;

import org.jspecify.annotations.NullMarked;
