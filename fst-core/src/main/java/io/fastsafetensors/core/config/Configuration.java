package io.fastsafetensors.core.config;

import io.fastsafetensors.api.LoadOptions;
import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.LoaderBuilder;
import io.fastsafetensors.api.TransferPath;
import io.fastsafetensors.error.ConfigException;
import io.fastsafetensors.error.Where;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/// Puts together what is configured outside the program: properties before variables before a file before defaults.
///
/// Read again by each call: nothing is kept, so that a program may set properties before it asks. Of a file that has
/// keys of both spellings, fst's own and the Python package's, the one that has more of them decides.
public final class Configuration {
    /// The variable that the Python package reads too.
    static final String FILE_VARIABLE = "FASTSAFETENSORS_CONFIG";
    /// The property that wins over it.
    static final String FILE_PROPERTY = "fst.config";
    /// Looked for in the working directory, in this order.
    static final List<String> FILE_NAMES = List.of("fst.json", "fastsafetensors.json");

    /// Before a key of [Settings]: `fst.blockBytes`.
    private static final String PROPERTY_PREFIX = "fst.";
    /// Before a key in capitals, words apart: `FST_BLOCK_BYTES`.
    private static final String VARIABLE_PREFIX = "FST_";

    private final UnaryOperator<@Nullable String> properties;
    private final UnaryOperator<@Nullable String> variables;
    private final Path directory;

    /// @param properties a property's value by name, null if it is not set
    /// @param variables an environment variable's
    /// @param directory the working directory
    Configuration(UnaryOperator<@Nullable String> properties, UnaryOperator<@Nullable String> variables,
            Path directory) {
        this.properties = properties;
        this.variables = variables;
        this.directory = directory;
    }

    /// That of this process.
    ///
    /// @throws ConfigException naming the place of what is wrong
    public static LoadOptions load() {
        return ofProcess().options();
    }

    /// That of this process, with a file that was named to it.
    ///
    /// @throws ConfigException naming the place of what is wrong
    public static LoadOptions load(Path file) {
        return ofProcess().options(Optional.of(file));
    }

    /// The working directory is the one that the JVM was started in: Java cannot change it.
    private static Configuration ofProcess() {
        return new Configuration(System::getProperty, System::getenv, Path.of(""));
    }

    /// With the file that is found for this process, if there is one.
    LoadOptions options() {
        return options(file());
    }

    /// Later ones win: the file, then variables, then properties, key by key.
    private LoadOptions options(Optional<Path> found) {
        LoaderBuilder builder = Loader.builder();
        boolean avoidsDirectStorage = found.map(file -> apply(builder, file)).orElse(false);
        boolean path = false;
        for (String key : Settings.keys()) {
            String variable = VARIABLE_PREFIX + key.replaceAll("([A-Z])", "_$1").toUpperCase(Locale.ROOT);
            boolean set = apply(builder, key, variables.apply(variable), "environment variable " + variable);
            set |= apply(builder, key, properties.apply(PROPERTY_PREFIX + key), "property " + PROPERTY_PREFIX + key);
            path |= set && key.equals("transferPath");
        }
        if (avoidsDirectStorage && !path && !builder.options().device().isCpu()) {
            builder.transferPath(TransferPath.STAGED);
        }
        return builder.options();
    }

    /// Applies one key of outside.
    ///
    /// @param what names the property or variable in errors
    /// @return whether it is set
    private static boolean apply(LoaderBuilder builder, String key, @Nullable String text, String what) {
        if (text == null) {
            return false;
        }
        Settings.apply(builder, key, ConfigValue.ofText(text, new ConfigValue.Place.Outside(what)));
        return true;
    }

    /// Applies a file.
    ///
    /// @return whether it asks for no direct storage, which means something on a device alone
    private static boolean apply(LoaderBuilder builder, Path file) {
        ConfigValue content = ConfigFile.read(file);
        if (FastsafetensorsConfig.isMeantBy(content, file.endsWith(FILE_NAMES.getLast()))) {
            FastsafetensorsConfig python = FastsafetensorsConfig.read(content);
            python.apply(builder);
            return python.avoidsDirectStorage();
        }
        Settings.applyAll(builder, content);
        return false;
    }

    /// The one that is named, which has to be there, or the first of those that are looked for.
    private Optional<Path> file() {
        String named = properties.apply(FILE_PROPERTY);
        String by = "property " + FILE_PROPERTY;
        if (named == null) {
            named = variables.apply(FILE_VARIABLE);
            by = "environment variable " + FILE_VARIABLE;
        }
        if (named == null) {
            return FILE_NAMES.stream().map(directory::resolve).filter(Files::isRegularFile).findFirst();
        }
        Path file = path(named, by);
        if (named.endsWith(".yaml") || named.endsWith(".yml")) {
            throw new ConfigException(by + ": YAML is not read here; write the same keys as JSON", Where.file(file));
        }
        if (!Files.isRegularFile(file)) {
            throw new ConfigException(by + " names a file that is not there", Where.file(file));
        }
        return Optional.of(file);
    }

    /// @param by what named it, for errors
    private Path path(String named, String by) {
        try {
            return directory.resolve(named);
        } catch (InvalidPathException e) {
            throw new ConfigException(by + ": \"" + named + "\" is no path: " + e.getReason(), Where.nowhere());
        }
    }
}
