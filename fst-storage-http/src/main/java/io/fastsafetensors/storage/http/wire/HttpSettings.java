package io.fastsafetensors.storage.http.wire;

import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.storage.StorageOptions;
import java.math.BigDecimal;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/// Reads settings: a property of the storage's options, else the system property of that name with `fst.` before it, else
/// variables of the environment. Never shows a value. Immutable.
public final class HttpSettings {
    private static final int NANOS = 9;
    private static final BigDecimal LONGEST = BigDecimal.valueOf(86_400);

    private final StorageOptions options;
    private final Function<String, @Nullable String> environment;

    /// @param environment what variables hold; null for those that are not set
    public HttpSettings(StorageOptions options, Function<String, @Nullable String> environment) {
        this.options = options;
        this.environment = environment;
    }

    /// A text that is set and not blank.
    ///
    /// @param property the name of the property
    /// @param variables names of variables, the first one that is set counts
    public Optional<String> text(String property, String... variables) {
        Optional<String> found = options.property(property)
                .or(() -> Optional.ofNullable(System.getProperty("fst." + property)));
        for (String variable : variables) {
            found = found.or(() -> variable(variable));
        }
        return found.map(String::strip).filter(text -> !text.isEmpty());
    }

    /// A variable of the environment that is set and not blank.
    public Optional<String> variable(String name) {
        return Optional.ofNullable(environment.apply(name)).map(String::strip).filter(text -> !text.isEmpty());
    }

    /// Whether something is switched on: `1`, `true`, `yes` and `on` say so, whatever their case.
    public boolean flag(String property, String... variables) {
        return text(property, variables).map(text -> text.matches("(?i)1|true|yes|on")).orElse(false);
    }

    /// Seconds, with a fraction if need be.
    ///
    /// @throws StorageException if it is no number above 0 and up to a day
    public Duration seconds(String property, String preset) {
        String text = text(property).orElse(preset);
        BigDecimal seconds = text.matches("[0-9]{1,9}(\\.[0-9]{1,9})?") ? new BigDecimal(text) : BigDecimal.ZERO;
        if (seconds.signum() == 0 || seconds.compareTo(LONGEST) > 0) {
            throw bad(property, "a number of seconds, more than 0 and at most a day, such as " + preset);
        }
        return Duration.ofNanos(seconds.movePointRight(NANOS).longValue());
    }

    /// A whole number.
    ///
    /// @throws StorageException if it is none, or out of bounds
    public int count(String property, int preset, int least, int most) {
        String text = text(property).orElse(Integer.toString(preset));
        int count = text.matches("[0-9]{1,9}") ? Integer.parseInt(text) : -1;
        if (count < least || count > most) {
            throw bad(property, "a whole number from " + least + " to " + most);
        }
        return count;
    }

    /// The home directory of the user.
    public Path home() {
        return Path.of(variable("HOME").orElseGet(() -> System.getProperty("user.home", "")));
    }

    /// What to throw for a setting that is of no use.
    public static StorageException bad(String property, String wanted) {
        return new StorageException("setting " + property + " should be " + wanted, Where.nowhere());
    }
}
