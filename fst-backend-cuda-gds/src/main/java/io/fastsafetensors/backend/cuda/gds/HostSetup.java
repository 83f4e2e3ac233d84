package io.fastsafetensors.backend.cuda.gds;

import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Map;
import java.util.regex.Pattern;

/// The GPUDirect Storage setup of this machine, read from files without a call into the library.
///
/// @param root where `proc`, `sys`, `dev` and `etc` are
/// @param environment the process's environment
record HostSetup(Path root, Map<String, String> environment) {
    /// Not behind `//` on its line: cuFile takes comments.
    private static final Pattern P2PDMA = Pattern.compile("(?m)^(?:(?!//).)*\"use_pci_p2pdma\"\\s*:\\s*true");

    /// This machine.
    static HostSetup ofThisMachine() {
        return new HostSetup(Path.of("/"), System.getenv());
    }

    /// Where sysfs is.
    Path sys() {
        return root.resolve("sys");
    }

    /// Whether nvidia-fs is loaded and has its devices.
    boolean hasNvidiaFs() {
        if (!Files.isDirectory(root.resolve("proc/driver/nvidia-fs"))) {
            return false;
        }
        try (DirectoryStream<Path> devices = Files.newDirectoryStream(root.resolve("dev"), "nvidia-fs*")) {
            return devices.iterator().hasNext();
        } catch (IOException | DirectoryIteratorException _) {
            return false;
        }
    }

    /// Whether cuFile is told to use the kernel's PCI P2PDMA, by its environment variable or its configuration file.
    /// Whether it then does, only its driver knows.
    boolean asksForP2pDma() {
        String variable = environment.get("CUFILE_USE_PCIP2PDMA");
        if (variable != null) {
            return variable.equals("1") || variable.equalsIgnoreCase("true");
        }
        try {
            return P2PDMA.matcher(Files.readString(configuration())).find();
        } catch (IOException | InvalidPathException _) {
            return false;
        }
    }

    private Path configuration() {
        String named = environment.get("CUFILE_ENV_PATH_JSON");
        return named == null ? root.resolve("etc/cufile.json") : Path.of(named);
    }

    /// Whether direct reads are possible at all, as far as files tell.
    boolean mayReadDirectly() {
        return hasNvidiaFs() || asksForP2pDma();
    }
}
