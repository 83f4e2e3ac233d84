package io.fastsafetensors.architecture;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.source.tree.ClassTree;
import com.sun.source.tree.CompilationUnitTree;
import com.sun.source.tree.MethodTree;
import com.sun.source.util.JavacTask;
import com.sun.source.util.TreeScanner;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import javax.lang.model.element.Modifier;
import javax.tools.JavaCompiler;
import javax.tools.StandardJavaFileManager;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.Test;

/// Every test of every module is named as CONTRIBUTING.md says, the rules of the conformance suites included. Reads sources,
/// because some modules are built after this one, or not at all.
class TestNamesTest {
    private static final Set<String> TESTS =
            Set.of("Test", "ParameterizedTest", "RepeatedTest", "TestFactory", "TestTemplate");
    /// What the build looks for.
    private static final String CLASS_NAME = "[A-Z]\\w*Test";
    private static final String METHOD_NAME = "[a-z][a-z0-9]*(_[a-z0-9]+)+";

    @Test
    void tests_say_in_snake_case_what_holds_and_their_classes_end_in_test() throws IOException {
        Names names = new Names();
        names.scan(parse(sources()), null);
        assertTrue(names.tests > 900, "only " + names.tests + " tests found");
        assertEquals(List.of(), names.wrong);
    }

    @Test
    void other_names_are_found() throws IOException {
        Path folder = Files.createTempDirectory("names");
        Path source = folder.resolve("SampleTests.java");
        try {
            Files.writeString(source, """
                    class SampleTests {
                        @Test
                        void itWorks() {
                        }

                        @org.junit.jupiter.params.ParameterizedTest(name = "x")
                        void works(int x) {
                        }

                        @Test
                        void it_works() {
                        }

                        void helper() {
                        }
                    }
                    """);
            Names names = new Names();
            names.scan(parse(List.of(source)), null);
            assertEquals(3, names.tests);
            assertEquals(List.of("class SampleTests", "SampleTests.itWorks", "SampleTests.works"), names.wrong);
        } finally {
            Files.delete(source);
            Files.delete(folder);
        }
    }

    private static List<Path> sources() throws IOException {
        List<Path> sources = new ArrayList<>();
        try (Stream<Path> modules = Files.list(Path.of(".."))) {
            for (Path module : (Iterable<Path>) modules.filter(m -> Files.exists(m.resolve("pom.xml")))::iterator) {
                for (String folder : List.of("src/main/java", "src/test/java")) {
                    if (Files.isDirectory(module.resolve(folder))) {
                        try (Stream<Path> files = Files.walk(module.resolve(folder))) {
                            files.filter(f -> f.toString().endsWith(".java")
                                    && !f.endsWith("module-info.java")).forEach(sources::add);
                        }
                    }
                }
            }
        }
        return sources;
    }

    private static Iterable<? extends CompilationUnitTree> parse(List<Path> sources) throws IOException {
        JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
        try (StandardJavaFileManager files = compiler.getStandardFileManager(null, null, null)) {
            JavacTask task = (JavacTask) compiler.getTask(null, files, null, List.of("-proc:none"), null,
                    files.getJavaFileObjectsFromPaths(sources));
            List<CompilationUnitTree> units = new ArrayList<>();
            task.parse().forEach(units::add);
            return units;
        }
    }

    private static final class Names extends TreeScanner<Void, ClassTree> {
        private final List<String> wrong = new ArrayList<>();
        private int tests;

        @Override
        public Void visitClass(ClassTree type, ClassTree outer) {
            boolean isTopLevel = outer == null;
            boolean isAbstract = type.getModifiers().getFlags().contains(Modifier.ABSTRACT);
            boolean hasTests = type.getMembers().stream().anyMatch(m -> m instanceof MethodTree t && isTest(t));
            if (isTopLevel && hasTests && !isAbstract && !type.getSimpleName().toString().matches(CLASS_NAME)) {
                wrong.add("class " + type.getSimpleName());
            }
            return super.visitClass(type, type);
        }

        @Override
        public Void visitMethod(MethodTree method, ClassTree type) {
            if (isTest(method)) {
                tests++;
                if (!method.getName().toString().matches(METHOD_NAME)) {
                    wrong.add(type.getSimpleName() + "." + method.getName());
                }
            }
            return super.visitMethod(method, type);
        }

        private static boolean isTest(MethodTree method) {
            return method.getModifiers().getAnnotations().stream()
                    .map(a -> a.getAnnotationType().toString()).map(name -> name.substring(name.lastIndexOf('.') + 1))
                    .anyMatch(TESTS::contains);
        }
    }
}
