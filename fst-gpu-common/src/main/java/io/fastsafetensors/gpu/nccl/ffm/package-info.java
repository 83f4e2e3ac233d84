/// The NCCL library: one interface with its C names, one binding through the foreign-function API for whichever library
/// has these functions.
/// Plain Java types only; statuses are given back as they are.
@NullMarked
package io.fastsafetensors.gpu.nccl.ffm;

import org.jspecify.annotations.NullMarked;
