package io.fastsafetensors.test;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/// Mount namespaces, in which a program has file systems that nobody else sees.
public final class Namespaces {
    private Namespaces() {
    }

    /// The start of a command that runs the rest of it in a mount namespace of its own, where it may mount; without the
    /// permission the test ends by [Prerequisite#MOUNT].
    public static List<String> command() {
        Prerequisite.MOUNT.require();
        return new ArrayList<>(List.of("unshare", flags().orElseThrow()));
    }

    static Optional<String> problem() {
        return flags().isPresent() ? Optional.empty()
                : Optional.of("unshare permits no mount, even in a user namespace");
    }

    /// Unprivileged users get a mount namespace with a user namespace.
    private static Optional<String> flags() {
        return Arrays.stream(new String[] {"-m", "-rm"}).filter(flags -> ChildProcess
                .problem("unshare", flags, "mount", "-t", "tmpfs", "fst", "/tmp").isEmpty()).findFirst();
    }
}
