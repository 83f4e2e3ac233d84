package io.fastsafetensors.testkit;

import java.lang.reflect.Method;
import java.time.Duration;
import java.util.Optional;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.extension.AfterAllCallback;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.DynamicTestInvocationContext;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ExtensionContext.Namespace;
import org.junit.jupiter.api.extension.InvocationInterceptor;
import org.opentest4j.TestAbortedException;

/// Collects what came of each rule of a suite and, when the suite has ended, writes it as text and as JSON to the folder
/// that the system property `fst.testkit.report` names. The suites register it themselves.
public final class RuleReport
        implements BeforeEachCallback, AfterEachCallback, AfterAllCallback, InvocationInterceptor {
    private static final Namespace NAMESPACE = Namespace.create(RuleReport.class);
    private static final String START = "start";

    /// For the test engine.
    public RuleReport() {
    }

    @Override
    public void beforeEach(ExtensionContext context) {
        context.getStore(NAMESPACE).put(START, System.nanoTime());
        // Cases of a test factory know no instance of the suite.
        report(context);
    }

    @Override
    public void afterEach(ExtensionContext context) {
        Long start = context.getStore(NAMESPACE).get(START, Long.class);
        Duration took = Duration.ofNanos(start == null ? 0 : System.nanoTime() - start);
        String odds = context.getTestInstance().filter(RuleGroup.class::isInstance).map(RuleGroup.class::cast)
                .map(RuleGroup::odds).orElse("");
        add(context, context.getExecutionException(), took, odds);
    }

    /// Each case of a test factory counts for its rule.
    @Override
    public void interceptDynamicTest(Invocation<Void> invocation, DynamicTestInvocationContext dynamic,
            ExtensionContext context) throws Throwable {
        try {
            invocation.proceed();
        } catch (Throwable e) {
            add(context, Optional.of(e), Duration.ZERO, "");
            throw e;
        }
    }

    private static void add(ExtensionContext context, Optional<Throwable> thrown, Duration took, String odds) {
        Optional<Method> method = context.getTestMethod().or(() -> context.getParent()
                .flatMap(ExtensionContext::getTestMethod));
        method.map(Rule::of).ifPresent(rule -> report(context).add(rule, outcome(thrown),
                thrown.map(e -> String.valueOf(e.getMessage())).orElse(""), took, odds));
    }

    private static ReportFile.Outcome outcome(Optional<Throwable> thrown) {
        return thrown.map(e -> switch (e) {
            case NotApplicable _ -> ReportFile.Outcome.NOT_APPLICABLE;
            case TestAbortedException _ -> ReportFile.Outcome.SKIPPED;
            default -> ReportFile.Outcome.FAILED;
        }).orElse(ReportFile.Outcome.PASSED);
    }

    private static ReportFile report(ExtensionContext context) {
        ExtensionContext suite = context;
        while (!isSuite(suite)) {
            suite = suite.getParent().orElseThrow();
        }
        ExtensionContext found = suite;
        return suite.getStore(NAMESPACE).computeIfAbsent(ReportFile.class,
                _ -> new ReportFile(found.getRequiredTestClass().getName(),
                        context.getRequiredTestInstances().getAllInstances().getFirst()),
                ReportFile.class);
    }

    private static boolean isSuite(ExtensionContext context) {
        return context.getTestMethod().isEmpty()
                && context.getTestClass().filter(c -> !c.isAnnotationPresent(Nested.class)).isPresent();
    }

    @Override
    public void afterAll(ExtensionContext context) {
        if (isSuite(context)) {
            ReportFile report = context.getStore(NAMESPACE).get(ReportFile.class, ReportFile.class);
            if (report != null) {
                report.write();
            }
        }
    }
}
