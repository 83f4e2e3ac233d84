/// Tests of whole loads through core and a backend: bytes, lifetimes, leaks, ranks, broken disks.
/// Real files, real reads, real memory: that of the CPU, which every machine has, and a [RemoteProvider] made of it.
package io.fastsafetensors.tests.load;
