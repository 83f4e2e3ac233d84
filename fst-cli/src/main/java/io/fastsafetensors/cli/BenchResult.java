package io.fastsafetensors.cli;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/// The result of `fst bench`: facts, notes, and each arm with all its rounds. Written as text of one record per line with
/// tabs between fields; the last line says how many there are, so that a file that was cut is found out.
///
/// @param facts what was measured and where, by name, in order
/// @param notes sentences on what could not be measured, and why
/// @param arms in the order in which they are shown
record BenchResult(Map<String, String> facts, List<String> notes, List<BenchArm> arms) {
    static final String BYTES = "bytes";
    static final String DEVICE = "device";
    static final String DEVICE_NAME = "device_name";
    static final String DTYPES = "dtypes";
    static final String CHECKPOINT = "checkpoint";
    static final String DATE = "date";
    static final String MAPPED = "mapped_bytes";

    private static final String MAGIC = "fst-bench";
    private static final String VERSION = "1";
    private static final String FACT = "fact";
    private static final String NOTE = "note";
    private static final String ARM = "arm";
    private static final String END = "end";
    private static final List<String> REQUIRED = List.of(BYTES, DEVICE, DEVICE_NAME);
    /// A result is a few KiB; more is some other file.
    private static final int MOST_BYTES = 4 << 20;
    private static final int ROUNDS_AT = 6;
    private static final double MOST_RATE = 1e6;

    /// Bytes of the tensors.
    long byteSize() {
        return Long.parseLong(facts.get(BYTES));
    }

    /// The time that an arm takes for all of them at its median rate.
    double seconds(BenchArm arm) {
        return byteSize() / 1e9 / arm.median();
    }

    /// A fact, empty if there is none of that name.
    String fact(String name) {
        return facts.getOrDefault(name, "");
    }

    Optional<BenchArm> arm(BenchArm.Part part, BenchArm.State state, String backend) {
        return arms.stream().filter(arm -> arm.part() == part && arm.state() == state && arm.backend().equals(backend))
                .findFirst();
    }

    Optional<BenchArm> arm(String name) {
        return arms.stream().filter(arm -> arm.name().equals(name)).findFirst();
    }

    /// The text of a result file.
    String text() {
        List<String> lines = new ArrayList<>(List.of(MAGIC + "\t" + VERSION));
        facts.forEach((name, value) -> lines.add(FACT + "\t" + name + "\t" + SafeText.printable(value)));
        notes.forEach(note -> lines.add(NOTE + "\t" + SafeText.printable(note)));
        for (BenchArm arm : arms) {
            StringBuilder line = new StringBuilder(String.join("\t", ARM, BenchArm.word(arm.part()),
                    BenchArm.word(arm.state()), SafeText.printable(arm.backend()), Long.toString(arm.cached()),
                    BenchArm.UNIT));
            arm.samples().values().forEach(rate -> line.append('\t').append(rate));
            lines.add(line.toString());
        }
        lines.add(END + "\t" + lines.size());
        return String.join("\n", lines) + "\n";
    }

    /// Reads a result file.
    ///
    /// @throws CommandException naming file and line, if it is no whole result file
    static BenchResult read(Path file) {
        return new Reader(file).read();
    }

    /// Reads one file.
    private static final class Reader {
        private final Path file;
        private final Map<String, String> facts = new LinkedHashMap<>();
        private final List<String> notes = new ArrayList<>();
        private final List<BenchArm> arms = new ArrayList<>();
        private final Set<String> names = new HashSet<>();
        private int number;

        Reader(Path file) {
            this.file = file;
        }

        BenchResult read() {
            List<String> lines = Arrays.asList(content().split("\n", -1));
            String first = lines.getFirst();
            if (!first.startsWith(MAGIC + "\t")) {
                throw refusal(" is no result of fst bench --out: it begins with something else");
            }
            if (!first.equals(MAGIC + "\t" + VERSION)) {
                throw refusal(
                        " is a result of another version of fst (" + shortened(first.substring(MAGIC.length() + 1))
                                + " instead of " + VERSION + "); measure again");
            }
            int last = lines.size() - 2;
            if (last < 1 || !lines.get(last + 1).isEmpty() || !lines.get(last).equals(END + "\t" + last)) {
                throw refusal(
                        " is cut or was changed: its last line does not say how many lines there are; measure again");
            }
            for (number = 1; number < last; number++) {
                line(lines.get(number).split("\t", -1));
            }
            for (String name : REQUIRED) {
                if (!facts.containsKey(name)) {
                    throw refusal(" lacks the fact " + name + "; measure again");
                }
            }
            if (arms.isEmpty()) {
                throw refusal(" has no arm; measure again");
            }
            return new BenchResult(facts, List.copyOf(notes), List.copyOf(arms));
        }

        private String content() {
            try (InputStream in = Files.newInputStream(file)) {
                byte[] bytes = in.readNBytes(MOST_BYTES + 1);
                if (bytes.length > MOST_BYTES) {
                    throw refusal(" is no result of fst bench --out: it is larger than " + Sizes.human(MOST_BYTES));
                }
                return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
            } catch (CharacterCodingException e) {
                throw refusal(" is no result of fst bench --out: it is not UTF-8");
            } catch (NoSuchFileException e) {
                throw refusal(" does not exist; fst bench PATH --out FILE writes a result");
            } catch (IOException e) {
                throw new CommandException(file + " cannot be read: " + e.getMessage(), e);
            }
        }

        private void line(String[] fields) {
            switch (fields[0]) {
                case FACT -> fact(fields);
                case NOTE -> notes.add(of(fields, 2)[1]);
                case ARM -> arm(fields);
                default -> throw wrong("begins with " + shortened(fields[0]));
            }
        }

        private void fact(String[] fields) {
            String name = of(fields, 3)[1];
            if (facts.put(name, fields[2]) != null) {
                throw wrong("repeats the fact " + shortened(name));
            }
            if (name.equals(BYTES) && count(fields[2]) < 1) {
                throw wrong("has no number of bytes");
            }
        }

        private void arm(String[] fields) {
            if (fields.length <= ROUNDS_AT) {
                throw wrong("has no rounds");
            }
            if (!fields[ROUNDS_AT - 1].equals(BenchArm.UNIT)) {
                throw wrong("has the unit " + shortened(fields[ROUNDS_AT - 1]) + " instead of " + BenchArm.UNIT);
            }
            BenchArm empty = BenchArm.empty(constant(fields[1], BenchArm.Part.values()),
                    constant(fields[2], BenchArm.State.values()), fields[3]);
            BenchArm arm = empty.cachedBefore(fields[4].equals("-1") ? -1 : count(fields[4]));
            for (String rate : Arrays.asList(fields).subList(ROUNDS_AT, fields.length)) {
                arm.samples().add(rate(rate));
            }
            if (!names.add(arm.name())) {
                throw wrong("repeats the arm " + shortened(arm.name()));
            }
            if (arm.samples().count() > BenchCommand.MOST_ROUNDS) {
                throw wrong("has more than " + BenchCommand.MOST_ROUNDS + " rounds");
            }
            arms.add(arm);
        }

        private double rate(String text) {
            // Java's own spelling of doubles knows more than numbers.
            if (text.matches("[0-9]+(\\.[0-9]+)?(E-?[0-9]+)?") && text.length() <= 30) {
                double rate = Double.parseDouble(text);
                if (rate > 0 && rate <= MOST_RATE) {
                    return rate;
                }
            }
            throw wrong("has the rate " + shortened(text));
        }

        private long count(String text) {
            if (!text.matches("[0-9]{1,18}")) {
                throw wrong("has " + shortened(text) + " in place of a number");
            }
            return Long.parseLong(text);
        }

        private <E extends Enum<E>> E constant(String text, E[] constants) {
            for (E constant : constants) {
                if (BenchArm.word(constant).equals(text)) {
                    return constant;
                }
            }
            throw wrong("has the unknown word " + shortened(text));
        }

        private String[] of(String[] fields, int length) {
            if (fields.length != length) {
                throw wrong("has " + fields.length + " fields instead of " + length);
            }
            return fields;
        }

        private CommandException wrong(String what) {
            return refusal(": line " + (number + 1) + " " + what + "; measure again");
        }

        private CommandException refusal(String what) {
            return new CommandException(file + what, null);
        }

        private static String shortened(String text) {
            return "\"" + Width.cut(SafeText.printable(text), 40) + "\"";
        }
    }
}
