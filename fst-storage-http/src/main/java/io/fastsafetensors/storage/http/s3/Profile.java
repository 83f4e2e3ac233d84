package io.fastsafetensors.storage.http.s3;

import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.storage.http.wire.HttpSettings;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// A profile of the files `~/.aws/credentials` and `~/.aws/config`, the first of which wins. Immutable; its text has the name
/// only.
final class Profile {
    private final String name;
    private final Map<String, String> values;

    private Profile(String name, Map<String, String> values) {
        this.name = name;
        this.values = values;
    }

    /// The profile that is chosen.
    ///
    /// @throws StorageException if one is named and not there, or a file cannot be read
    static Profile chosen(HttpSettings settings) {
        Optional<String> named = settings.text("s3.profile", "AWS_PROFILE");
        String name = named.orElse("default");
        Path folder = settings.home().resolve(".aws");
        Map<String, String> values = new HashMap<>();
        Path config = settings.variable("AWS_CONFIG_FILE").map(Path::of).orElse(folder.resolve("config"));
        Path keys =
                settings.variable("AWS_SHARED_CREDENTIALS_FILE").map(Path::of).orElse(folder.resolve("credentials"));
        boolean found = read(config, List.of("profile " + name, name.equals("default") ? "default" : ""), values);
        found |= read(keys, List.of(name), values);
        if (!found && named.isPresent()) {
            throw new StorageException("there is no profile " + name + " in " + config + " nor in " + keys
                    + "; check AWS_PROFILE", Where.nowhere());
        }
        return new Profile(name, values);
    }

    private static boolean read(Path file, List<String> sections, Map<String, String> values) {
        if (!Files.isRegularFile(file)) {
            return false;
        }
        boolean found = false;
        boolean inside = false;
        try {
            for (String line : Files.readAllLines(file)) {
                String text = line.strip();
                if (text.startsWith("[") && text.indexOf(']') > 0) {
                    inside = sections.contains(text.substring(1, text.indexOf(']')).strip().replaceAll("\\s+", " "));
                    found |= inside;
                } else
                    if (inside && !text.startsWith("#") && !text.startsWith(";") && text.indexOf('=') > 0
                            && !Character.isWhitespace(line.charAt(0))) {
                                int equals = text.indexOf('=');
                                values.put(text.substring(0, equals).strip(), text.substring(equals + 1).strip());
                            }
            }
        } catch (IOException e) {
            throw new StorageException("cannot read the file of profiles (" + e.getClass().getSimpleName() + ")",
                    Where.file(file));
        }
        return found;
    }

    Optional<String> value(String key) {
        return Optional.ofNullable(values.get(key)).filter(text -> !text.isEmpty());
    }

    /// A way to get credentials that it names and that this storage does not have.
    Optional<String> unsupported() {
        return List.of("credential_process", "sso_session", "sso_start_url", "source_profile", "credential_source")
                .stream()
                .filter(values::containsKey).findFirst();
    }

    @Override
    public String toString() {
        return "profile " + name;
    }
}
