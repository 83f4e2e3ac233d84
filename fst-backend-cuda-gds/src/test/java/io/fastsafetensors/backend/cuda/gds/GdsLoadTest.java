package io.fastsafetensors.backend.cuda.gds;

/// On this machine's own GPU and cuFile.
class GdsLoadTest extends GdsLoadRules {
}
