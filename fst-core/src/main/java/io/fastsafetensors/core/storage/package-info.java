/// The only access to the bytes of files: finds the storage of a location, opens each file once for a load, makes sure
/// that it stays one version, and serves paths of the local machine. Retries what may be retried, records every
/// fallback with its reason, turns the rest into one clear error. First in the flow: everything that reads comes here,
/// and nothing of core is known here.
@NullMarked
package io.fastsafetensors.core.storage;

import org.jspecify.annotations.NullMarked;
