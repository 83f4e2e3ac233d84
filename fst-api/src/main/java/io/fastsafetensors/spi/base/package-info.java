/// The common parts of backends, for those who write one: the lifetime of what a backend hands out, buffers, streams
/// and staging memory that keep the rules of the SPI, and decorators that forward everything to another backend.
/// Nothing here is required of a backend, and core goes by the interfaces of [io.fastsafetensors.spi] alone.
@NullMarked
package io.fastsafetensors.spi.base;

import org.jspecify.annotations.NullMarked;
