/// The helper with which a native binding becomes one short class: open a library by a list of names, bind a
/// function once, read errno, view raw memory, be called back; and for bindings that bring their own library, a safe
/// place to load it from. With the `ffm` packages of core and backends the only code that calls restricted methods of
/// the foreign-function API.
@NullMarked
package io.fastsafetensors.spi.ffm;

import org.jspecify.annotations.NullMarked;
