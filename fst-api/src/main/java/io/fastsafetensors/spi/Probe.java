package io.fastsafetensors.spi;

import java.util.Collection;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;

/// The result of a backend's look at this machine. Made by [#available(List)] or [#unavailable(String)]. A reader asks
/// [#found()] and [#obstacle()], and so needs no change if a state is added.
public interface Probe {
    /// It works here, with these devices; what it can do is added by [Available#with(Capability...)].
    ///
    /// @param devices at least one
    static Available available(List<DeviceInfo> devices) {
        return new Available(devices, Set.of(), Map.of());
    }

    /// It does not work here.
    ///
    /// @param reason one sentence for people: what is missing and how to get it
    static Unavailable unavailable(String reason) {
        return new Unavailable(reason, Optional.empty());
    }

    /// It does not work here.
    ///
    /// @param reason one sentence for people: what is missing and how to get it
    /// @param cause the exception behind it
    static Unavailable unavailable(String reason, Throwable cause) {
        return new Unavailable(reason, Optional.of(cause));
    }

    /// Whether it works here.
    default boolean isAvailable() {
        return found().isPresent();
    }

    /// What was found, if it works here.
    default Optional<Available> found() {
        return this instanceof Available available ? Optional.of(available) : Optional.empty();
    }

    /// Why it does not work here; empty if it does.
    default Optional<String> obstacle() {
        return this instanceof Available ? Optional.empty()
                : Optional.of(this instanceof Unavailable missing ? missing.reason() : toString());
    }

    /// The exception behind [#obstacle()], if any.
    default Optional<Throwable> cause() {
        return Optional.empty();
    }

    /// It works here. Immutable.
    final class Available implements Probe {
        private final List<DeviceInfo> devices;
        private final Set<Capability> capabilities;
        private final Map<String, String> versions;

        /// What version 1 of the SPI had; [Probe#available(List)] can say what was added since.
        ///
        /// @param devices at least one
        /// @param capabilities what it can do on these devices
        /// @param versions names and versions of drivers and libraries, for people
        public Available(List<DeviceInfo> devices, Set<Capability> capabilities, Map<String, String> versions) {
            this.devices = List.copyOf(devices);
            this.capabilities = Set.copyOf(capabilities);
            this.versions = Map.copyOf(versions);
        }

        /// The devices, at least one.
        public List<DeviceInfo> devices() {
            return devices;
        }

        /// What it can do on these devices.
        public Set<Capability> capabilities() {
            return capabilities;
        }

        /// Names and versions of drivers and libraries, for people.
        public Map<String, String> versions() {
            return versions;
        }

        /// The same, with these capabilities too.
        public Available with(Capability... more) {
            return with(List.of(more));
        }

        /// The same, with these capabilities too.
        public Available with(Collection<Capability> more) {
            EnumSet<Capability> all = EnumSet.noneOf(Capability.class);
            all.addAll(capabilities);
            all.addAll(more);
            return new Available(devices, all, versions);
        }

        /// The same, with these versions.
        ///
        /// @param named names and versions of drivers and libraries, for people
        public Available withVersions(Map<String, String> named) {
            return new Available(devices, capabilities, named);
        }

        @Override
        public boolean equals(Object other) {
            return other instanceof Available that && devices.equals(that.devices)
                    && capabilities.equals(that.capabilities) && versions.equals(that.versions);
        }

        @Override
        public int hashCode() {
            return Objects.hash(devices, capabilities, versions);
        }

        @Override
        public String toString() {
            return "available: " + devices + ", " + capabilities + ", " + versions;
        }
    }

    /// It does not work here. Immutable.
    final class Unavailable implements Probe {
        private final String reason;
        private final Optional<Throwable> cause;

        /// What version 1 of the SPI had; others use [Probe#unavailable(String, Throwable)].
        ///
        /// @param reason one sentence for people: what is missing and how to get it
        /// @param cause the exception behind it, if any
        public Unavailable(String reason, Optional<Throwable> cause) {
            this.reason = Objects.requireNonNull(reason, "reason");
            this.cause = Objects.requireNonNull(cause, "cause");
        }

        /// What version 1 of the SPI had; others use [Probe#unavailable(String)].
        public Unavailable(String reason) {
            this(reason, Optional.empty());
        }

        /// One sentence for people: what is missing and how to get it.
        public String reason() {
            return reason;
        }

        @Override
        public Optional<Throwable> cause() {
            return cause;
        }

        @Override
        public boolean equals(Object other) {
            return other instanceof Unavailable that && reason.equals(that.reason) && cause.equals(that.cause);
        }

        @Override
        public int hashCode() {
            return Objects.hash(reason, cause);
        }

        @Override
        public String toString() {
            return "not available: " + reason;
        }
    }
}
