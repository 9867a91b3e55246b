package corpus

var (
	givenNames = []string{
		"Ada", "Grace", "Edsger", "Barbara", "Donald", "Radia", "Ken", "Margaret", "Tony", "Frances", "Niklaus", "Hedy",
		"Alan", "Katherine", "John", "Sophie", "Leslie", "Shafi", "Robin", "Adele", "Björn", "Zoë", "François", "Łukasz",
		"Yukihiro", "Mei", "Anjali", "Olufemi", "Siân", "Jürgen", "Renée", "Mateo", "Ingrid", "Tomás", "Aoife", "Dmitri",
	}
	familyNames = []string{
		"Lovelace", "Hopper", "Dijkstra", "Liskov", "Knuth", "Perlman", "Thompson", "Hamilton", "Hoare", "Allen", "Wirth",
		"Lamarr", "Turing", "Johnson", "Backus", "Wilson", "Lamport", "Goldwasser", "Milner", "Goldberg", "Sørensen",
		"Fernández", "O'Brien", "Müller", "Nakamura", "Okonkwo", "Patel", "Kowalczyk", "van den Berg", "Castro-Ruiz",
		"Lindqvist", "Haddad", "Novák", "Öztürk", "Papadopoulos", "Svensson", "Moreau", "Rossi", "Silva", "Chen",
	}
	companies = []string{
		"Northwind", "Contoso", "Initech", "Umbra Logistics", "Acme & Sons", "Globex", "Hooli", "Vandelay Imports",
		"Stark Metals", "Wayne Rail", "Tyrell Optics", "Cyberdyne", "Soylent Foods", "Wonka", "Gringotts", "Bluth Homes",
		"Dunder Paper", "Oceanic Air", "Massive Dynamic", "Pied Piper", "Aperture", "Black Mesa", "Weyland", "Nakatomi",
	}
	services = []string{
		"payments", "ledger", "checkout", "identity", "search", "catalog", "invoicing", "notifications", "gateway",
		"reporting", "warehouse", "pricing", "fraud", "onboarding", "support", "telemetry", "scheduler", "archive",
	}
	parts        = []string{"api", "web", "worker", "batch", "admin", "mobile", "edge", "sync", "db", "jobs"}
	environments = []string{"Production", "Staging", "Test EU", "Test US", "Development", "Hotfix", "DR Frankfurt", "Canary"}
	cities       = []string{
		"London", "Brisbane", "Zürich", "São Paulo", "Chicago", "Singapore", "Kraków", "Toronto", "Nairobi", "Osaka",
		"Reykjavík", "Lisbon", "Mumbai", "Seattle", "Hamburg", "Wellington",
	}
	methods  = []string{"saml", "oidc", "password+totp", "webauthn", "ssh", "https", "api key", "kerberos", "client certificate"}
	branches = []string{"main", "release", "feature", "fix", "hotfix", "dependabot", "revert", "experiment"}
	roles    = []string{"user", "user", "user", "user", "service", "system"}
	outcomes = []string{
		"success", "success", "success", "success", "success", "success", "success", "success", "failure", "unknown",
	}
	platforms = []string{
		"X11; Linux x86_64", "Windows NT 10.0; Win64; x64", "Macintosh; Intel Mac OS X 10_15_7", "X11; Ubuntu; Linux x86_64",
		"iPhone; CPU iPhone OS 19_2 like Mac OS X", "Linux; Android 16; Pixel 9",
	}
	tools = []string{"git/2.%d.%d", "curl/8.%d.%d", "octo-cli/2026.%d.%d", "terraform-provider/1.%d.%d", "go-resty/2.%d.%d"}
)
