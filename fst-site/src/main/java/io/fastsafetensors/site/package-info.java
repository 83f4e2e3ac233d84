/// The generator of the project's static site.
@NullMarked
package io.fastsafetensors.site;

import org.jspecify.annotations.NullMarked;
