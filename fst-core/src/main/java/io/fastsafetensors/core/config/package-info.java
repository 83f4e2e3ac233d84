/// Configuration from outside the program → options: `fst.json`, fastsafetensors' own file, environment, properties.
/// Start at [Configuration]; [Settings] is the one list of keys, [FastsafetensorsConfig] that of the other project's.
/// With `header` the only package that uses Jackson.
@NullMarked
package io.fastsafetensors.core.config;

import org.jspecify.annotations.NullMarked;
