package io.fastsafetensors.test;

import io.fastsafetensors.spi.ffm.NativeLibrary;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.Assumptions;

/// Something that a test needs of the machine besides Linux and the JDK.
///
/// A test that needs one calls [#require()] before anything else. Where it is missing the test is aborted, with a message
/// that starts in this form, on one line:
///
/// ```
/// missing prerequisite: NAME (HOW)
/// missing prerequisite: gcc (apt install gcc libc6-dev)
/// missing prerequisite: NumPy (apt install python3-numpy): python3: No module named 'numpy'
/// ```
///
/// NAME has no parenthesis, HOW no closing one; what follows after a colon is what the check saw. The system property
/// `fst.require` turns that into a failure with the same message: it holds names from [#key()], separated by commas, or
/// `all` for everything that can be had on any machine. Hardware, the sample files, and compilers that must have one exact
/// version are required by their names only.
///
/// Each is checked once in a JVM. Thread-safe. Suites of fst-testkit that need hardware say so in the same form, and are
/// required by the provider's name in `fst.testkit.require`.
public enum Prerequisite {
    /// `cc`, which compiles and links a program with the C library's headers.
    C_COMPILER("gcc", "apt install gcc libc6-dev", true),
    /// The address and undefined behaviour sanitizers of `cc`.
    SANITIZERS("sanitizers of gcc", "apt install gcc libc6-dev", true),
    /// `mpirun` (or what `-Dfst.mpirun` names) and `libmpi`.
    OPEN_MPI("Open MPI", "apt install openmpi-bin libopenmpi-dev", true),
    /// An OpenCL loader and a driver that has a device. The check only sees whether drivers are registered, because loading
    /// them is what some tests are about: a test that finds no device throws [#missing].
    OPENCL("OpenCL", "apt install ocl-icd-libopencl1 pocl-opencl-icd", true),
    /// The real HIP runtime of ROCm 5 with its compiler, which compiles without a device.
    HIP("HIP runtime", "apt install libamdhip64-5 libhiprtc-builtins5", true),
    /// A Python that imports NumPy: see [Python].
    NUMPY("NumPy", "apt install python3-numpy", true),
    /// `/bin/bash`.
    BASH("bash", "apt install bash", true),
    /// The shell `zsh`.
    ZSH("zsh", "apt install zsh", true),
    /// The shell `fish`.
    FISH("fish", "apt install fish", true),
    /// `script`, which runs a command in a terminal of its own.
    TERMINAL("script", "apt install bsdutils", true),
    /// `unshare` and `mount`, and the permission to mount in a namespace of one's own: see [Namespaces].
    MOUNT("permission to mount", "run as root or allow user namespaces; apt install util-linux", true),
    /// The HTTP server nginx.
    NGINX("nginx", "apt install nginx-light", true),
    /// The server of S3's protocol, whose jar the system property `fst.s3proxy` names; a build with slow tests fetches it.
    S3PROXY("S3Proxy", "-Dfst.slow=true fetches it, or -Dfst.s3proxy=JAR of"
            + " org.gaul:s3proxy:4.1.0:jar:jar-with-dependencies", true),
    /// NVIDIA's compiler, which must have the version that made the PTX in the jar.
    NVCC("nvcc", "install NVIDIA's CUDA toolkit", false),
    /// A directory of real safetensors files, which the system property `fst.corpus` names.
    CORPUS("sample files", "-Dfst.corpus=DIR", false);

    private static final String PROPERTY = "fst.require";
    private static final String ALL = "all";
    private static final Map<Prerequisite, Optional<String>> PROBLEMS = new ConcurrentHashMap<>();

    private final String title;
    private final String how;
    private final boolean obtainable;

    Prerequisite(String title, String how, boolean obtainable) {
        this.title = title;
        this.how = how;
        this.obtainable = obtainable;
    }

    /// Its name in `fst.require`, such as `c-compiler`.
    public String key() {
        return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }

    /// Its name for people.
    public String title() {
        return title;
    }

    /// How to get it, in a few words.
    public String how() {
        return how;
    }

    /// Whether any machine can have it, so that `all` means it too.
    public boolean isObtainable() {
        return obtainable;
    }

    /// What the check found wrong; empty where it is there.
    public Optional<String> problem() {
        return PROBLEMS.computeIfAbsent(this, Prerequisite::check);
    }

    private static Optional<String> check(Prerequisite each) {
        return switch (each) {
            case C_COMPILER -> CBuild.problem();
            case SANITIZERS -> CBuild.problemWithSanitizers();
            case OPEN_MPI -> ChildProcess.problem(System.getProperty("fst.mpirun", "mpirun"), "--version")
                    .or(() -> library("libmpi.so.40", "libmpi.so"));
            case OPENCL -> openCl();
            case HIP -> library("libamdhip64.so.5").or(() -> library("libhiprtc-builtins.so.5"));
            case NUMPY -> Python.problem();
            case BASH -> Files.isExecutable(Path.of("/bin/bash")) ? Optional.empty() : Optional.of("no /bin/bash");
            case ZSH -> ChildProcess.problem("zsh", "--version");
            case FISH -> ChildProcess.problem("fish", "--version");
            case TERMINAL -> ChildProcess.problem("script", "--version");
            case MOUNT -> Namespaces.problem();
            case NGINX -> ChildProcess.problem("nginx", "-v");
            case S3PROXY -> Files.isRegularFile(Path.of(System.getProperty("fst.s3proxy", ""))) ? Optional.empty()
                    : Optional.of("fst.s3proxy names no file");
            case NVCC -> ChildProcess.problem("nvcc", "--version");
            case CORPUS -> SampleFiles.problem();
        };
    }

    /// Goes on where it is there; else ends the test as [#missing] does.
    ///
    /// @throws IllegalArgumentException if `fst.require` has a name that is none
    public void require() {
        required();
        problem().ifPresent(detail -> {
            throw missing(detail);
        });
    }

    /// Ends a test that has found for itself that this is missing: aborted, or failed where `fst.require` has it. Never
    /// returns; `throw` before the call tells the compiler.
    ///
    /// @param detail what the test saw; may be empty
    public RuntimeException missing(String detail) {
        String text = "missing prerequisite: " + title + " (" + how + ")"
                + (detail.isBlank() ? "" : ": " + detail.strip().replaceAll("\\s*\\R\\s*", "; "));
        if (isRequired()) {
            return Assertions.fail(text + "; -D" + PROPERTY + " asks for it");
        }
        return Assumptions.abort(text);
    }

    private boolean isRequired() {
        Set<String> names = required();
        return names.contains(key()) || (obtainable && names.contains(ALL));
    }

    private static Set<String> required() {
        Set<String> known = Stream.concat(Stream.of(ALL), Arrays.stream(values()).map(Prerequisite::key))
                .collect(Collectors.toCollection(LinkedHashSet::new));
        Set<String> names = Arrays.stream(System.getProperty(PROPERTY, "").split(",", -1)).map(String::strip)
                .filter(name -> !name.isEmpty()).collect(Collectors.toSet());
        names.stream().filter(name -> !known.contains(name)).sorted().findFirst().ifPresent(name -> {
            throw new IllegalArgumentException("-D" + PROPERTY + "=" + name + ": no such prerequisite; known: "
                    + String.join(", ", known));
        });
        return names;
    }

    private static Optional<String> openCl() {
        Path vendors = Path.of(System.getenv().getOrDefault("OCL_ICD_VENDORS", "/etc/OpenCL/vendors"));
        try (DirectoryStream<Path> drivers = Files.newDirectoryStream(vendors, "*.icd")) {
            return drivers.iterator().hasNext() ? Optional.empty() : Optional.of("no driver in " + vendors);
        } catch (IOException e) {
            return Optional.of("no driver in " + vendors);
        }
    }

    private static Optional<String> library(String... names) {
        String found = NativeLibrary.describe(names);
        return found.endsWith("is installed") ? Optional.empty() : Optional.of(found);
    }
}
