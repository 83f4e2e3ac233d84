package io.fastsafetensors.architecture;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.module.ModuleDescriptor;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import java.util.TreeSet;

/// Providers as the module path and as the class path see them.
final class Services {
    private Services() {
    }

    static Set<String> inDescriptors(Set<String> modules, String service) {
        Set<String> found = new TreeSet<>();
        for (String module : modules) {
            try (InputStream in = Files.newInputStream(classes(module).resolve("module-info.class"))) {
                ModuleDescriptor.read(in).provides().stream().filter(p -> p.service().equals(service))
                        .forEach(p -> found.addAll(p.providers()));
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
        return found;
    }

    static Set<String> inFiles(Set<String> modules, String service) {
        Set<String> found = new TreeSet<>();
        for (String module : modules) {
            Path file = classes(module).resolve("META-INF/services").resolve(service);
            try {
                if (Files.exists(file)) {
                    Files.readAllLines(file).stream().filter(line -> !line.isBlank()).forEach(found::add);
                }
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
        return found;
    }

    private static Path classes(String module) {
        return Path.of("..").resolve(module).resolve("target/classes");
    }
}
