/// Tests of storage over HTTP against servers that misbehave on purpose.
@NullMarked
package io.fastsafetensors.storage.http;

import org.jspecify.annotations.NullMarked;
