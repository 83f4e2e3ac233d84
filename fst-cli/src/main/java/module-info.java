/// The `fst` command.
module io.fastsafetensors.cli {
    requires io.fastsafetensors.api;
    requires info.picocli;
    requires static org.jspecify;
}
