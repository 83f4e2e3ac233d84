/// Keeps what is fetched from other machines on the local disk: one sparse file for each version of a remote file, the parts
/// that it holds with their checksums, and the storages that read through it.
/// Before it: the storage SPI. After it: storage opens remote storages through it.
@NullMarked
package io.fastsafetensors.core.storage.cache;

import org.jspecify.annotations.NullMarked;
