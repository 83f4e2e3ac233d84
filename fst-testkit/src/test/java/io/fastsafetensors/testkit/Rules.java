package io.fastsafetensors.testkit;

import java.lang.reflect.Method;
import java.util.Arrays;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Nested;

/// The rules as the code has them.
final class Rules {
    private Rules() {
    }

    /// Titles by id.
    ///
    /// @throws IllegalStateException if an id occurs twice or a test has none
    static Map<String, String> inCode() {
        Map<String, String> rules = new TreeMap<>();
        for (Class<?> group : BackendConformance.class.getDeclaredClasses()) {
            if (group.isAnnotationPresent(Nested.class)) {
                Arrays.stream(group.getSuperclass().getDeclaredMethods()).filter(Rules::isTest)
                        .forEach(method -> add(rules, method));
            }
        }
        return rules;
    }

    private static boolean isTest(Method method) {
        return Arrays.stream(method.getAnnotations())
                .anyMatch(a -> a.annotationType().getSimpleName().matches("Test|TestFactory"));
    }

    private static void add(Map<String, String> rules, Method method) {
        DisplayName name = method.getAnnotation(DisplayName.class);
        if (name == null || !name.value().matches("[A-Z]-\\d\\d .+")) {
            throw new IllegalStateException(method + " has no rule id");
        }
        if (rules.put(name.value().substring(0, 4), name.value().substring(5)) != null) {
            throw new IllegalStateException(name.value() + ": the id is taken");
        }
    }
}
