/// Selects the backend that serves a device, and says why the others do not.
/// Finds providers by [java.util.ServiceLoader], one broken jar hiding nobody else.
/// An opened backend is shared by what uses it and closed by the last.
@NullMarked
package io.fastsafetensors.core.select;

import org.jspecify.annotations.NullMarked;
