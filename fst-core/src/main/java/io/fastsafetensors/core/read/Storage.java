package io.fastsafetensors.core.read;

import io.fastsafetensors.api.Diagnostics.StorageReport;
import io.fastsafetensors.core.plan.Pages;
import io.fastsafetensors.core.read.ffm.FileLibC;
import io.fastsafetensors.core.read.ffm.FileLibCFfm;
import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.error.Where;
import java.io.IOException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/// Opens files in the best way that this platform has.
public final class Storage {
    private static final Storage PLATFORM = detect();

    private final @Nullable FileLibC c;
    private final String whyNot;

    private Storage(@Nullable FileLibC c, String whyNot) {
        this.c = c;
        this.whyNot = whyNot;
    }

    /// The platform's storage.
    public static Storage platform() {
        return PLATFORM;
    }

    /// Storage over the given calls, for tests.
    static Storage over(FileLibC calls) {
        return new Storage(calls, "");
    }

    /// Storage through the JDK alone.
    static Storage plain(String why) {
        return new Storage(null, why);
    }

    private static Storage detect() {
        if (!System.getProperty("os.name").equals("Linux")) {
            return plain("direct reads are for Linux");
        }
        try {
            return over(new FileLibCFfm());
        } catch (IllegalCallerException | LinkageError e) {
            Throwable cause = e.getCause() == null ? e : e.getCause();
            return plain("native access is off (" + cause.getMessage()
                    + "); start java with --enable-native-access=io.fastsafetensors.api, or ALL-UNNAMED on the class path");
        }
    }

    StorageFile open(Path path, boolean wantDirect) {
        return c == null ? new ChannelFile(path, whyNot) : LinuxFile.open(c, path, wantDirect);
    }

    /// How a file would be read, and what the page cache holds of it now.
    public StorageReport report(Path path) {
        Path real;
        try {
            real = path.toRealPath();
        } catch (IOException e) {
            throw new StorageException("cannot open: " + e, Where.file(path), e);
        }
        try (StorageFile file = open(path, true)) {
            long pages = file.cachedPages(0, file.length());
            long cached = pages < 0 ? -1 : Math.min(file.length(), pages * Pages.SIZE);
            return new StorageReport(real, file.fileSystem(), file.length(), cached, file.isDirect(), file.reason());
        }
    }
}
