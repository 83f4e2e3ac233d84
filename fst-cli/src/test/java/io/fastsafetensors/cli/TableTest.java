package io.fastsafetensors.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

class TableTest {
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();

    @Test
    void text_is_aligned() {
        assertEquals("name     nbytes\na           3 B\n漢字b  1.00 KiB\n",
                print(table(), Table.Format.TEXT, false));
    }

    @Test
    void tsv_has_one_header_line_and_raw_numbers() {
        assertEquals("name\tnbytes\n\"a\"\t3\n\"漢字b\"\t1024\n", print(table(), Table.Format.TSV, false));
        assertEquals("name\tnbytes\n", print(new Table("name", "nbytes"), Table.Format.TSV, false));
    }

    @Test
    void json_is_an_array_of_objects() {
        assertEquals("[{\"name\":\"a\",\"nbytes\":3},\n{\"name\":\"漢字b\",\"nbytes\":1024}\n]\n",
                print(table(), Table.Format.JSON, false));
        assertEquals("[]\n", print(new Table("name", "nbytes"), Table.Format.JSON, false));
    }

    @Test
    void groups_stand_above_their_rows() {
        Table table = new Table("file", "name").grouped();
        table.add(Cell.text("x"), Cell.name("a"));
        table.add(Cell.text("x"), Cell.name("b"));
        table.add(Cell.text("y"), Cell.name("c"));
        assertEquals("  name\nx\n  a\n  b\ny\n  c\n", print(table, Table.Format.TEXT, false));
    }

    @Test
    void colours_are_for_terminals_and_do_not_shift_columns() {
        Table table = new Table("ok", "why");
        table.add(Cell.yesNo(true), Cell.text("x"));
        assertEquals("ok   why\nyes  x\n", print(table, Table.Format.TEXT, false));
        assertEquals("\u001b[2mok\u001b[0m   \u001b[2mwhy\u001b[0m\n\u001b[32myes\u001b[0m  x\n",
                print(table, Table.Format.TEXT, true));
        assertEquals("ok\twhy\nyes\tx\n", print(table, Table.Format.TSV, true));
    }

    @Test
    void text_fits_the_terminal_and_names_lose_their_middle() {
        Table table = new Table("file", "name", "nbytes").alignRight("nbytes").grouped();
        table.add(Cell.text("/models/" + "d".repeat(300)), Cell.name("first." + "x".repeat(300) + ".weight"),
                Cell.number(Long.MAX_VALUE));
        table.add(Cell.text("/models/y"), Cell.name("漢".repeat(90)), Cell.number(1));
        for (int columns : new int[] {40, 60, 80, 200}) {
            String text = print(table, Table.Format.TEXT, columns);
            text.lines().forEach(line -> assertTrue(Width.of(line) <= columns, columns + ": " + line));
            assertTrue(text.contains(Long.toString(Long.MAX_VALUE)), "numbers stay whole: " + text);
        }
        String text = print(table, Table.Format.TEXT, 60);
        assertTrue(text.contains("first.") && text.contains(".weight") && text.contains("…"), text);
        assertTrue(print(table, Table.Format.TSV, 40).contains("x".repeat(300)), "whole for scripts");
        assertTrue(print(table, Table.Format.JSON, 40).contains("x".repeat(300)), "whole for scripts");
        assertTrue(print(table, Table.Format.TEXT, 0).contains("x".repeat(300)), "whole in pipes");
    }

    @Test
    void one_long_name_does_not_widen_every_row_of_a_pipe() {
        Table table = new Table("name", "dtype");
        table.add(Cell.name("x".repeat(300)), Cell.text("U8"));
        table.add(Cell.name("short"), Cell.text("U8"));
        assertEquals("short  U8", print(table, Table.Format.TEXT, 0).lines().toList().getLast());
    }

    @Test
    void sentences_go_on_below_on_a_terminal() {
        Table table = new Table("name", "reason").wrapLast();
        table.add(Cell.text("mpi"), Cell.text("native library not found; tried libmpi.so.40, libmpi.so"));
        assertEquals("""
                name  reason
                mpi   native library not
                      found; tried
                      libmpi.so.40,
                      libmpi.so
                """, print(table, Table.Format.TEXT, 26));
        assertTrue(print(table, Table.Format.TEXT, 0).contains("found; tried libmpi.so.40, libmpi.so"));
    }

    @Test
    void sentences_that_would_have_a_word_per_line_go_below_their_row() {
        Table table = new Table("path", "verdict", "message").wrapLast();
        table.add(Cell.text("/m/model.safetensors"), Cell.text("InvalidOffset"),
                Cell.text("tensors must fill the data without holes and overlaps"));
        table.add(Cell.text("b"), Cell.text("OK"), Cell.text("1 tensor"));
        assertEquals("""
                path                  verdict
                /m/model.safetensors  InvalidOffset
                    tensors must fill the data without
                    holes and overlaps
                b                     OK
                    1 tensor
                """, print(table, Table.Format.TEXT, 40));
    }

    @Test
    void a_word_that_is_longer_than_its_column_is_broken() {
        Table table = new Table("k", "reason").wrapLast();
        table.add(Cell.text("a"), Cell.text("see /" + "p".repeat(100)));
        String text = print(table, Table.Format.TEXT, 30);
        text.lines().forEach(line -> assertTrue(Width.of(line) <= 30, line));
        assertEquals(100, text.chars().filter(c -> c == 'p').count());
    }

    @Test
    void rows_fit_the_columns() {
        assertThrows(IllegalArgumentException.class, () -> table().add(Cell.number(1)));
    }

    private static Table table() {
        Table table = new Table("name", "nbytes").alignRight("nbytes");
        table.add(Cell.name("a"), Cell.bytes(3));
        table.add(Cell.name("漢字b"), Cell.bytes(1024));
        return table;
    }

    private String print(Table table, Table.Format format, boolean terminal) {
        PrintStream stream = new PrintStream(out, true, StandardCharsets.UTF_8);
        out.reset();
        table.print(format, terminal ? new Screen(stream, stream, Terminal.of(80, true), Terminal.NONE)
                : Screen.unwatched(stream, stream));
        return out.toString(StandardCharsets.UTF_8);
    }

    private String print(Table table, Table.Format format, int columns) {
        PrintStream stream = new PrintStream(out, true, StandardCharsets.UTF_8);
        out.reset();
        table.print(format, new Screen(stream, stream, Terminal.of(columns, false), Terminal.NONE));
        return out.toString(StandardCharsets.UTF_8);
    }
}
