/// Reader threads that transfer blocks, each file on the transfer path that [PathSelector] chose: straight into memory that
/// the host can address, through page-locked slots, out of registered mappings, or by direct storage. Before it: read.
/// After it: load waits for what arrived here.
@NullMarked
package io.fastsafetensors.core.transfer;

import org.jspecify.annotations.NullMarked;
