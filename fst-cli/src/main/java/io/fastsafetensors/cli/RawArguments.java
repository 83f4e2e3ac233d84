package io.fastsafetensors.cli;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/// Recovers arguments that the JVM's charset cannot say, so that names of files mean what the shell passed. Text that is no
/// UTF-8 keeps each of its other bytes as a lone surrogate, U+DC00 plus the byte.
final class RawArguments {
    private static final char LONE = '\uDC00';
    private static final String UNRESERVED = "-._~/";

    private RawArguments() {
    }

    /// The arguments as they were passed. They are the last ones of this process's command line.
    static String[] exact(String[] args) {
        boolean lost = false;
        for (String argument : args) {
            lost |= mayHaveLost(argument);
        }
        if (!lost) {
            return args;
        }
        try {
            return exact(args, Files.readAllBytes(Path.of("/proc/self/cmdline")));
        } catch (IOException e) {
            // No /proc: what the JVM made of them is all there is.
            return args;
        }
    }

    /// @param commandLine its words, each ended by a NUL
    static String[] exact(String[] args, byte[] commandLine) {
        List<byte[]> words = new ArrayList<>();
        for (int at = 0, end = 0; end < commandLine.length; end++) {
            if (commandLine[end] == 0) {
                words.add(Arrays.copyOfRange(commandLine, at, end));
                at = end + 1;
            }
        }
        String[] exact = args.clone();
        for (int i = 0; i < args.length && words.size() >= args.length; i++) {
            byte[] word = words.get(words.size() - args.length + i);
            if (mayHaveLost(args[i]) && new String(word, StandardCharsets.US_ASCII).indexOf('\uFFFD') >= 0) {
                exact[i] = decode(word);
            }
        }
        return exact;
    }

    // A charset puts one of these in place of what it cannot say.
    private static boolean mayHaveLost(String argument) {
        return argument.indexOf('?') >= 0 || !isAscii(argument);
    }

    // A loop: a stream takes classes into every start of the command.
    private static boolean isAscii(String text) {
        for (int i = 0; i < text.length(); i++) {
            if (text.charAt(i) > 127) {
                return false;
            }
        }
        return true;
    }

    private static String decode(byte[] word) {
        try {
            return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(word)).toString();
        } catch (CharacterCodingException e) {
            StringBuilder text = new StringBuilder();
            for (byte b : word) {
                text.append(b >= 0 ? (char) b : (char) (LONE + (b & 0xff)));
            }
            return text.toString();
        }
    }

    /// The path that such text means.
    static Path path(String text) {
        if (isAscii(text)) {
            return Path.of(text);
        }
        byte[] bytes = encode(text);
        try {
            Path path = Path.of(text);
            // The charset may say another name's bytes.
            if (Arrays.equals(bytes, path.toString().getBytes(StandardCharsets.UTF_8)) && saysUtf8()) {
                return path;
            }
        } catch (InvalidPathException e) {
            if (text.indexOf('\0') >= 0) {
                throw e;
            }
        }
        StringBuilder uri = new StringBuilder("file://");
        if (!text.startsWith("/")) {
            String directory = Path.of("").toAbsolutePath().toUri().getRawPath();
            uri.append(directory).append(directory.endsWith("/") ? "" : "/");
        }
        for (byte b : bytes) {
            char c = (char) (b & 0xff);
            boolean plain = c < 128 && (Character.isLetterOrDigit(c) || UNRESERVED.indexOf(c) >= 0);
            uri.append(plain ? String.valueOf(c) : String.format(Locale.ROOT, "%%%02X", b & 0xff));
        }
        return Path.of(URI.create(uri.toString()));
    }

    private static boolean saysUtf8() {
        return "UTF-8".equalsIgnoreCase(System.getProperty("sun.jnu.encoding"));
    }

    private static byte[] encode(String text) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        text.codePoints().forEach(c -> {
            if (c >= LONE + 0x80 && c <= LONE + 0xff) {
                bytes.write(c - LONE);
            } else {
                bytes.writeBytes(Character.toString(c).getBytes(StandardCharsets.UTF_8));
            }
        });
        return bytes.toByteArray();
    }

    /// The text for people: bytes that are no text as `\xNN`.
    static String shown(String text) {
        if (isAscii(text) || text.chars().noneMatch(c -> c >= LONE + 0x80 && c <= LONE + 0xff)) {
            return text;
        }
        StringBuilder shown = new StringBuilder();
        text.codePoints().forEach(c -> {
            if (c >= LONE + 0x80 && c <= LONE + 0xff) {
                shown.append(String.format(Locale.ROOT, "\\x%02X", c - LONE));
            } else {
                shown.appendCodePoint(c);
            }
        });
        return shown.toString();
    }
}
