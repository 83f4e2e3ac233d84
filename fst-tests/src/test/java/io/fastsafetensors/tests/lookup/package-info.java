/// How fst is found in the packages and class loaders that programs live in.
package io.fastsafetensors.tests.lookup;
