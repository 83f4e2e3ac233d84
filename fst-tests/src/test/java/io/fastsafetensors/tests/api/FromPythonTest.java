package io.fastsafetensors.tests.api;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.Safetensors;
import io.fastsafetensors.api.Tensor;
import io.fastsafetensors.api.TensorSource;
import io.fastsafetensors.api.TensorStream;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.types.Shape;
import java.io.IOException;
import java.io.StringWriter;
import java.lang.reflect.InvocationTargetException;
import java.net.URISyntaxException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.tools.JavaCompiler;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Every line of Java in docs/from-python.md compiles against fst-api alone, and runs.
class FromPythonTest {
    private static final Pattern ROW = Pattern.compile("^\\| (.*) \\| `([^`]*)` \\|$");
    private static final Pattern BLOCK = Pattern.compile("^```java\\n(.*?)^```$", Pattern.MULTILINE | Pattern.DOTALL);
    private static final float[] FLOATS = {1, 2, 3, 4, 5, 6};

    @TempDir
    private Path directory;

    private static List<String> snippets() throws IOException {
        String page = Files.readString(Path.of("../docs/from-python.md"));
        List<String> snippets = new ArrayList<>();
        for (String line : page.lines().toList()) {
            if (line.startsWith("|") && !line.startsWith("|---") && !line.equals("| Python | Java |")) {
                Matcher row = ROW.matcher(line);
                assertTrue(row.matches(), line);
                snippets.add(row.group(2));
            }
        }
        BLOCK.matcher(page).results().forEach(block -> snippets.add(block.group(1)));
        return snippets;
    }

    private Path compile(List<String> snippets) throws IOException, URISyntaxException {
        StringBuilder source = new StringBuilder();
        for (String name : List.of("io.fastsafetensors.api.*", "io.fastsafetensors.types.*", "java.nio.*",
                "java.nio.file.Path", "java.util.*")) {
            source.append("import ").append(name).append(";\n");
        }
        source.append("public final class Snippets {\n");
        for (int i = 0; i < snippets.size(); i++) {
            // The device that every test machine has: what is far away for it too.
            source.append("    public static void snippet").append(i).append("(Path path, Path out, byte[] bytes, "
                    + "float[] floats, Loader loader, Weights weights, Tensor tensor, TensorStream stream) {\n        ")
                    .append(snippets.get(i).replace("\"cuda:0\"", "\"remote:0\"")).append("\n    }\n");
        }
        Path file = directory.resolve("Snippets.java");
        Files.writeString(file, source.append("}\n"));
        JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
        assertNotNull(compiler, "the tests run on a JDK");
        Path api = Path.of(Loader.class.getProtectionDomain().getCodeSource().getLocation().toURI());
        StringWriter messages = new StringWriter();
        try (var files = compiler.getStandardFileManager(null, null, null)) {
            boolean compiled = compiler.getTask(messages, files, null,
                    List.of("-proc:none", "-cp", api.toString(), "-d", directory.toString()), null,
                    files.getJavaFileObjects(file)).call();
            assertTrue(compiled, messages + "\n" + source);
        }
        return directory;
    }

    @Test
    @Tag("native")
    void every_line_of_the_page_compiles_and_runs() throws Exception {
        List<String> snippets = snippets();
        assertTrue(snippets.size() > 35, snippets.size() + " snippets");
        Path path = directory.resolve("model.safetensors");
        Safetensors.write(path, TensorSource.of("w", Shape.of(2, 3), FLOATS),
                TensorSource.of("w2", Shape.of(2, 3), FLOATS), TensorSource.of("b", Shape.of(3), new float[3]));
        URL[] classes = {compile(snippets).toUri().toURL()};
        try (URLClassLoader loaded = new URLClassLoader(classes, FromPythonTest.class.getClassLoader())) {
            Class<?> type = loaded.loadClass("Snippets");
            for (int i = 0; i < snippets.size(); i++) {
                try (Loader loader = Loader.builder().build();
                        Weights weights = loader.load(path);
                        TensorStream stream = loader.stream(path)) {
                    type.getMethod("snippet" + i, Path.class, Path.class, byte[].class, float[].class, Loader.class,
                            Weights.class, Tensor.class, TensorStream.class)
                            .invoke(null, path, directory.resolve("out.safetensors"), Files.readAllBytes(path), FLOATS,
                                    loader, weights, weights.get("w"), stream);
                } catch (InvocationTargetException e) {
                    throw new AssertionError(snippets.get(i), e.getCause());
                }
            }
        }
    }

    /// As many statements as are wanted of a library that is easy to use.
    @Test
    void the_first_things_take_few_lines() throws IOException {
        String page = Files.readString(Path.of("../docs/from-python.md"));
        Matcher bounded = BLOCK.matcher(page);
        assertTrue(bounded.find());
        assertEquals(3, bounded.group(1).lines().count());
        for (String snippet : snippets().stream().filter(s -> !s.contains("\n")).toList()) {
            assertTrue(snippet.chars().filter(c -> c == ';').count() <= 2, snippet);
        }
    }
}
