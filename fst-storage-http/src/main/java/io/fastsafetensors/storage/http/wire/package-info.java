/// HTTP/1.1 on blocking sockets: addresses, connections and their pool, retries, and files that are read by ranges straight
/// into native memory. Knows no service.
@NullMarked
package io.fastsafetensors.storage.http.wire;

import org.jspecify.annotations.NullMarked;
