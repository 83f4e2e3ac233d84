/// The `fst` command.
module io.fastsafetensors.cli {
    requires io.fastsafetensors.api;
    requires static org.jspecify;
}
