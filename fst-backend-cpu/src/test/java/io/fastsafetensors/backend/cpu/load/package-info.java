/// Whole loads through core and this backend: bytes, lifetimes, leaks, broken disks.
/// They live beside the backend since it is the one that every machine has.
/// Real files, real reads, real memory.
package io.fastsafetensors.backend.cpu.load;
