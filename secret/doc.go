// Package secret keeps secrets from being shown, and puts them where they belong.
//
// A [Value] is a secret that nothing prints. A [Template] is a text, such as an endpoint or the value of a header, in
// which tokens stand for the secret:
//
//	Bearer #{Secret}
//	Basic #{Secret | Prepend "user:" | ToBase64}
//	https://example.com/ingest/#{Secret | UriDataEscape}
//
// # Tokens
//
// A token is #{Secret}. #<Secret> is the same token in another spelling, for places that do something of their own with
// braces. The name and the filters are written in any case, and white space is free around the name, the bars and the
// brackets. The template is text apart from that; the secret is never read as a template.
//
// A run of hashes before { or < decides whether a token follows:
//
//	#{    begins a token
//	##{   is the text #{
//	###{  is the text # and then begins a token
//	####{ is the text ###{, and so on: an even run is text with one hash less, an odd one has two hashes less and a token
//
// A # before anything else is text.
//
// # Filters
//
// Filters follow the name, each after a bar, and apply from left to right. An argument is written bare, if it is made
// of letters, digits and _ - : / ~ ( ) @, or in double quotes; between quotes a backslash is a backslash and there is no
// way to write a quote or a #.
//
//	ToBase64 [enc]             Base64 of the text in UTF-8, or in UTF-16 (little end first) for unicode
//	FromBase64 [enc]           the text that the Base64 stands for; white space is ignored, and bytes that are no text
//	                           become U+FFFD
//	UriDataEscape              %XX for every byte but A-Z a-z 0-9 - . _ ~
//	UriEscape                  the same, but it keeps : / ? # [ ] @ ! $ & ' ( ) * + , ; = and so suits a whole URL; a %
//	                           becomes %25 again
//	HtmlEscape                 &amp; &lt; &gt; &quot; &apos; and, for a slash, &#x2F;
//	XmlEscape                  the same without the slash
//	JsonEscape                 \" \\ \r \n \t; other control characters stay as they are
//	ToUpper, ToLower           character by character, without regard to any language
//	Trim [start|end]           without the white space at both ends, or at one; further arguments are ignored
//	Truncate length [suffix]   cut to that length and with the suffix, by default "...", if it is longer
//	Substring length           the first characters
//	Substring start length     that many from start, which is 0 for the first; what there is if there are fewer, but an
//	                           error if start is past the end
//	Replace regex [with]       every match of the regular expression replaced, by nothing without a second argument;
//	                           $1 ${name} $& $$ and .NET's other substitutions are understood
//	Append text…               the texts after it
//	Prepend text…              the texts before it
//	Md5, Sha1, Sha256, Sha384, Sha512 [bytes] [enc|base64]
//	                           the hash in lower-case hexadecimal, or so many bytes of it; the text is hashed in UTF-8,
//	                           in the encoding named, or, for base64, as the bytes that it stands for; the options come
//	                           in either order
//
// enc is utf8, utf-8 or unicode, in any case. Lengths and positions count UTF-16 units, as .NET does: a character beyond
// U+FFFF has two, and half of one becomes U+FFFD. White space is what Unicode calls so. A secret that is not valid
// UTF-8 passes byte for byte, a bad byte counting as one unit, except that it becomes U+FFFD in unicode.
//
// # Who edits a template can learn the secret
//
// A template and the URL beside it say where the secret goes, and whether a filter can work on it tells something about
// it. No error shows the secret, but somebody who may change a destination and keep its secret can send it to a server
// of their own. A host that does not want that asks for the secret anew when the endpoint or a template is changed.
//
// # Differences from Octostache
//
// Syntax, names and meaning are those of Octostache, the template language of Octopus Deploy, so that a configuration
// made for it carries over. What differs:
//
//   - Another token than Secret, an unknown filter, a bad argument and a syntax error are errors of [Parse], where
//     Octostache would put the token out as text; a filter that cannot work on the secret is an error of the Render
//     methods.
//   - There are no conditions, loops, calculations, indexes, nested tokens, \" quotes, or filters other than these.
//   - A template has at most 4 KiB, and a filter puts out at most 64 KiB.
//   - Regular expressions are those of RE2 (see [regexp/syntax]), which knows no look-around and no back-reference. \d,
//     \w, \s and \b are about ASCII, $ is the very end of the text and not also before a last line break, and an empty
//     match right after another match does not count. Patterns and texts that would take long are an error.
//   - ToUpper and ToLower follow no locale of the machine.
//   - #<Secret> is not in Octostache.
package secret
