// Package document is configuration as data: it writes the fields of a struct as a JSON object and reads them back,
// strictly, with a path to everything that is wrong.
//
// The names of the keys are those of the json tags, exactly as they are written. encoding/json is kinder than a
// configuration can afford: it takes keys in any case and twice, skips those that it does not know, and forgets their
// path.
package document
