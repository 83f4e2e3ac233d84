/// The `fst` command.
module io.fastsafetensors.cli {
    requires io.fastsafetensors.api;
    requires info.picocli;
    requires java.management;
    requires static org.jspecify;

    opens io.fastsafetensors.cli to info.picocli;
}
