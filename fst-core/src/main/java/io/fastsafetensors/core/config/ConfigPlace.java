package io.fastsafetensors.core.config;

import io.fastsafetensors.error.ConfigException;
import io.fastsafetensors.error.Where;
import java.nio.file.Path;

/// The origin of a configured value, for messages.
sealed interface ConfigPlace {
    /// The error that a value there is.
    ConfigException error(String detail);

    /// In a file.
    ///
    /// @param file the file
    /// @param line from 1
    /// @param column from 1
    record InFile(Path file, int line, int column) implements ConfigPlace {
        @Override
        public ConfigException error(String detail) {
            return ConfigException.at(file, line, column, detail);
        }
    }

    /// In a system property or an environment variable.
    ///
    /// @param what which one
    record Outside(String what) implements ConfigPlace {
        @Override
        public ConfigException error(String detail) {
            return new ConfigException(what + ": " + detail, Where.nowhere());
        }
    }
}
