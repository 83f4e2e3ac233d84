/// The CUDA driver API through JCuda, whose types stay in here, and the loading of JCuda's library.
/// JCuda's process-wide switch that makes it throw is left alone: statuses are returned.
@NullMarked
package io.fastsafetensors.backend.cuda.jcuda;

import org.jspecify.annotations.NullMarked;
