package io.fastsafetensors.core.storage;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.channels.AsynchronousCloseException;
import java.nio.channels.ClosedByInterruptException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.util.Map;
import org.junit.jupiter.api.Test;

class ErrnosTest {
    @Test
    void exceptions_of_the_jdk_tell_their_errno_and_what_to_do() {
        Map<IOException, String> words = Map.of(new AccessDeniedException("/m"), "EACCES, permission denied: check",
                new NoSuchFileException("/m"), "ENOENT, no such file; check the path",
                new FileSystemException("/m", null, "Too many levels of symbolic links or unable to access attributes"),
                "ELOOP, too many symbolic links", new FileSystemException("/m", null, "Too many open files"),
                "EMFILE, too many open files: raise the limit", new IOException("Input/output error"), "EIO",
                new ClosedByInterruptException(), "the thread was interrupted",
                new AsynchronousCloseException(), "the file was closed, as");
        words.forEach((failure, word) -> assertTrue(Errnos.describe(failure).startsWith(word), failure.toString()));
        assertEquals("something else", Errnos.describe(new IOException("something else")));
        assertEquals("IOException", Errnos.describe(new IOException()));
    }

    @Test
    void what_cannot_be_looked_at_is_not_absent() {
        assertTrue(Errnos.isAbsent(new NoSuchFileException("/m")));
        assertTrue(Errnos.isAbsent(new FileSystemException("/m", null, "Not a directory")));
        assertFalse(Errnos.isAbsent(new AccessDeniedException("/m")));
        assertFalse(Errnos.isAbsent(new FileSystemException("/m", null, "Too many levels of symbolic links")));
    }
}
