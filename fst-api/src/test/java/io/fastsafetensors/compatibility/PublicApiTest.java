package io.fastsafetensors.compatibility;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import io.fastsafetensors.spi.Backend;
import java.io.IOException;
import java.lang.reflect.Constructor;
import java.lang.reflect.Executable;
import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/// The public and protected elements of the packages that fst-api exports to everybody, compared with what was landed last:
/// `src/test/resources/public-api.txt`, one element per line. CONTRIBUTING.md says what may change.
public class PublicApiTest {
    private static final Path BASELINE = Path.of("src/test/resources/public-api.txt");
    private static final Pattern EXPORT = Pattern.compile("^ +exports ([\\w.]+);", Pattern.MULTILINE);

    @Test
    void the_api_is_what_was_landed() throws Exception {
        List<String> now = listing(exported());
        if (Boolean.getBoolean("fst.api.accept")) {
            Files.write(BASELINE, now);
            return;
        }
        String report = report(Files.readAllLines(BASELINE), now);
        if (!report.isEmpty()) {
            fail(report);
        }
    }

    @Test
    void the_listing_tells_what_implementers_and_callers_go_by() {
        List<String> lines = listing(List.of(Sample.class, Sample.Part.class));
        String name = Sample.class.getName();
        assertEquals(List.of("protected interface " + name + "$Part",
                "protected interface " + name + "$Part: abstract required(int, java.lang.String): void",
                "protected interface " + name + "$Part: default optional(): long",
                "public abstract class " + name + " implements java.lang.Runnable",
                "public abstract class " + name + " implements java.lang.Runnable: protected <init>(byte[])",
                "public abstract class " + name
                        + " implements java.lang.Runnable: public static final CONSTANT: int = 7"),
                lines);
    }

    @Test
    void what_is_gone_and_what_implementers_lack_is_told_apart() {
        String a = "public interface io.fastsafetensors.spi.A";
        String b = "public interface io.fastsafetensors.spi.B";
        String report = report(List.of(a, a + ": abstract gone(): void"),
                List.of(a, a + ": abstract more(): void", a + ": default fine(): void", b,
                        b + ": abstract first(): void"));
        assertTrue(report.contains("- " + a + ": abstract gone(): void"), report);
        assertTrue(report.contains("+ " + a + ": default fine(): void"), report);
        assertTrue(report.contains("+ " + b + ": abstract first(): void"), report);
        assertTrue(report.contains("implementations of landed interfaces lack, so give it a default:\n  " + a
                + ": abstract more(): void\n"), report);
        assertTrue(report.contains("-Dfst.api.accept=true"), report);
        assertEquals("", report(List.of(a), List.of(a)));
    }

    /// Something of each kind.
    public abstract static class Sample implements Runnable {
        /// A constant, which compilers copy.
        public static final int CONSTANT = 7;

        protected Sample(byte[] bytes) {
        }

        Sample() {
        }

        protected interface Part {
            void required(int number, String text);

            default long optional() {
                return 0;
            }
        }
    }

    private static String report(List<String> landed, List<String> now) {
        Set<String> gone = new TreeSet<>(landed);
        gone.removeAll(now);
        Set<String> added = new TreeSet<>(now);
        landed.forEach(added::remove);
        if (gone.isEmpty() && added.isEmpty()) {
            return "";
        }
        StringBuilder report = new StringBuilder("the public API is not the one that was landed last:\n");
        gone.forEach(line -> report.append("- ").append(line).append('\n'));
        added.forEach(line -> report.append("+ ").append(line).append('\n'));
        List<String> missing = added.stream().filter(line -> line.contains(": abstract "))
                .filter(line -> landed.contains(line.substring(0, line.indexOf(": ")))).toList();
        if (!missing.isEmpty()) {
            report.append("implementations of landed interfaces lack, so give it a default:\n");
            missing.forEach(line -> report.append("  ").append(line).append('\n'));
        }
        return report
                .append("if CONTRIBUTING.md, \"Compatibility\", allows it, accept it with -Dfst.api.accept=true and"
                        + " commit ")
                .append(BASELINE).append('\n').toString();
    }

    private static List<Class<?>> exported() throws IOException, URISyntaxException, ClassNotFoundException {
        URI location = Backend.class.getProtectionDomain().getCodeSource().getLocation().toURI();
        List<Class<?>> classes = new ArrayList<>();
        Matcher exports = EXPORT.matcher(Files.readString(Path.of("src/main/java/module-info.java")));
        int packages = 0;
        while (exports.find()) {
            packages++;
            String name = exports.group(1);
            try (Stream<Path> files = Files.list(Path.of(location).resolve(name.replace('.', '/')))) {
                for (Path file : files.filter(f -> f.toString().endsWith(".class")).toList()) {
                    String simple = file.getFileName().toString().replace(".class", "");
                    if (!simple.equals("package-info")) {
                        classes.add(Class.forName(name + "." + simple, false, PublicApiTest.class.getClassLoader()));
                    }
                }
            }
        }
        assertTrue(packages >= 10 && classes.size() > 120, packages + " packages, " + classes.size() + " classes");
        return classes;
    }

    private static List<String> listing(List<Class<?>> classes) {
        List<String> lines = new ArrayList<>();
        for (Class<?> each : classes) {
            if (isSeen(each)) {
                String head = head(each);
                lines.add(head);
                for (Constructor<?> constructor : each.getDeclaredConstructors()) {
                    add(lines, head, constructor, "<init>" + parameters(constructor));
                }
                for (Method method : each.getDeclaredMethods()) {
                    if (!method.isBridge()) {
                        add(lines, head, method,
                                method.getName() + parameters(method) + ": " + method.getReturnType().getTypeName());
                    }
                }
                for (Field field : each.getDeclaredFields()) {
                    if (isSeen(field.getModifiers()) && !field.isSynthetic()) {
                        lines.add(head + ": " + Modifier.toString(field.getModifiers()) + " " + field.getName() + ": "
                                + field.getType().getTypeName() + value(field));
                    }
                }
            }
        }
        return lines.stream().sorted().distinct().toList();
    }

    private static boolean isSeen(int modifiers) {
        return Modifier.isPublic(modifiers) || Modifier.isProtected(modifiers);
    }

    /// With those around it, and not as what the compiler makes.
    private static boolean isSeen(Class<?> each) {
        if (each.isAnonymousClass() || each.isLocalClass() || each.isSynthetic()) {
            return false;
        }
        Class<?> around = each.getDeclaringClass();
        return isSeen(each.getModifiers()) && (around == null || isSeen(around));
    }

    private static String head(Class<?> each) {
        String modifiers = Modifier.toString(each.getModifiers() & ~Modifier.STATIC & ~Modifier.INTERFACE
                & (each.isInterface() ? ~Modifier.ABSTRACT : ~0)
                & (each.isRecord() || each.isEnum() ? ~Modifier.FINAL : ~0));
        String kind = each.isInterface() ? "interface" : each.isEnum() ? "enum" : each.isRecord() ? "record" : "class";
        List<String> parents = new ArrayList<>();
        Class<?> parent = each.getSuperclass();
        if (parent != null && !Set.of(Object.class, Enum.class, Record.class).contains(parent)) {
            parents.add("extends " + parent.getTypeName());
        }
        if (each.getInterfaces().length > 0) {
            parents.add((each.isInterface() ? "extends " : "implements ") + Arrays.stream(each.getInterfaces())
                    .map(Class::getTypeName).sorted().collect(Collectors.joining(", ")));
        }
        return (modifiers + " " + kind + " " + each.getName() + " " + String.join(" ", parents)).strip();
    }

    private static void add(List<String> lines, String head, Executable member, String signature) {
        if (!isSeen(member.getModifiers()) || member.isSynthetic()) {
            return;
        }
        boolean inInterface = member.getDeclaringClass().isInterface();
        int modifiers = member.getModifiers() & (Modifier.PUBLIC | Modifier.PROTECTED | Modifier.ABSTRACT
                | Modifier.STATIC | Modifier.FINAL) & (inInterface ? ~Modifier.PUBLIC : ~0);
        String words = member instanceof Method method && method.isDefault() ? "default"
                : Modifier.toString(modifiers);
        lines.add(head + ": " + (words + " " + signature).strip());
    }

    private static String parameters(Executable member) {
        return Arrays.stream(member.getParameterTypes()).map(Class::getTypeName)
                .collect(Collectors.joining(", ", "(", ")"));
    }

    private static String value(Field field) {
        boolean copied = Modifier.isStatic(field.getModifiers()) && Modifier.isFinal(field.getModifiers())
                && (field.getType().isPrimitive() || field.getType() == String.class);
        try {
            return copied ? " = " + field.get(null) : "";
        } catch (IllegalAccessException e) {
            return "";
        }
    }
}
