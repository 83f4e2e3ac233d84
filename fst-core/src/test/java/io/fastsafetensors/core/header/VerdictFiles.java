package io.fastsafetensors.core.header;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;

/// The table of files and checkpoints with their verdicts. As a program it writes them into a directory, with a
/// list in `expected.tsv`, so that a command can be held against it.
final class VerdictFiles {
    static final String OK = "OK";

    /// One file or checkpoint.
    ///
    /// @param name the path under the table's directory
    /// @param verdict [#OK] or the error's name
    /// @param strictVerdict the verdict in strict mode
    /// @param writer makes it at the path that it is given
    record Case(String name, String verdict, String strictVerdict, Consumer<Path> writer) {
        @Override
        public String toString() {
            return name + " is " + verdict;
        }
    }

    private final List<Case> cases = new ArrayList<>();
    private final Set<String> names = new LinkedHashSet<>();

    private VerdictFiles() {
    }

    /// All of them.
    static List<Case> all() {
        VerdictFiles table = new VerdictFiles();
        LengthVerdicts.addTo(table);
        SyntaxVerdicts.addTo(table);
        EntryVerdicts.addTo(table);
        RangeVerdicts.addTo(table);
        CheckpointVerdicts.addTo(table);
        return table.cases;
    }

    /// Adds a file of these bytes.
    void file(String verdict, String name, byte[] bytes) {
        checkpoint(verdict, name + ".safetensors", path -> TestFile.write(path, bytes));
    }

    /// Adds a file of this header and so many bytes of data.
    void header(String verdict, String name, String header, int dataBytes) {
        file(verdict, name, TestFile.of(header, dataBytes));
    }

    /// Adds whatever `writer` makes.
    void checkpoint(String verdict, String name, Consumer<Path> writer) {
        add(new Case(name, verdict, verdict, writer));
    }

    /// Adds a checkpoint that is OK with notes, of which the first is this error in strict mode.
    void noted(String error, String name, Consumer<Path> writer) {
        add(new Case(name, OK, error, writer));
    }

    private void add(Case one) {
        if (!names.add(one.name)) {
            throw new IllegalArgumentException("two cases called " + one.name);
        }
        cases.add(one);
    }

    /// Writes the table.
    ///
    /// @param args the directory
    public static void main(String[] args) {
        Path directory = Path.of(args[0]);
        StringBuilder expected = new StringBuilder("file\tverdict\n");
        for (Case one : all()) {
            one.writer.accept(directory.resolve(one.name));
            expected.append(one.name).append('\t').append(one.verdict).append('\n');
        }
        TestFile.write(directory.resolve("expected.tsv"), expected.toString());
    }
}
