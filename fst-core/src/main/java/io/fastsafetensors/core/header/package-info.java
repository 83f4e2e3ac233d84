/// Bytes become names, dtypes, shapes and ranges: every verdict on a file, an index and their agreement falls here.
/// JSON is read as a stream, without a tree and without the header in one piece; nothing is trusted.
/// Depends on `checkpoint`; with the configuration the only user of Jackson.
@NullMarked
package io.fastsafetensors.core.header;

import org.jspecify.annotations.NullMarked;
