# Every file of examples/ is a configuration that nginx takes and that does
# what it says, with no more changed than what it marks as "yours". So is
# every complete configuration in the README.

use strict;
use warnings;

use lib 't/lib';
use ProxyUser;
use Test::More;

use Digest::SHA qw(sha256_hex);
use File::Basename qw(basename);
use IO::Socket::INET;

my $backend = start_backend();
my $redis = redis_start();
my $syslog = IO::Socket::INET->new(Proto => 'udp', LocalAddr => '127.0.0.1')
    or die "syslog: $!\n";

# "found" is one that is asked where its keys are, and about tokens.
my $idp = fake_issuer();
$idp->discovers(jwks(jwk('rsa1')));
$idp->on('/introspect', body => '{"active":true,"token_type":"Bearer",'
    . '"sub":"rita","groups":["api-readers"],"exp":4102444800,'
    . '"aud":"https://api.example.com"}');

my %url = (company => 'https://login.example.com', found => $idp->{url},
           partner => 'https://partner.example.net');

sub of {
    my ($issuer, %claim) = @_;

    return token(
        $issuer eq 'partner' ? (alg => 'ES256', key => 'ec256')
                             : (alg => 'RS256', key => 'rsa1'),
        claims => {
            iss => $url{$issuer},
            aud => 'https://api.example.com', sub => 'alice',
            iat => time, exp => time + 600, %claim,
        });
}

my $employee = of('company');
my $reader = of('company', sub => 'rita', groups => ['api-readers']);
my $admin = of('company', sub => 'root', groups => ['api-admins', 'x']);
my $partner = of('partner', sub => 'machine', groups => ['api-admins']);
my $foreign = of('company', iss => 'https://elsewhere.example.com');
my $forged = forged('company');
my $suspended = of('company', sub => 'mallory', groups => ['api-admins']);

sub forged {
    return token(key => 'rsa2', kid => 'rsa1', claims => {
        iss => $url{$_[0]}, aud => 'https://api.example.com' });
}

seed_user(id => user_id(1), sub => 'mallory', state => 'suspended',
          issuer => $url{company});
seed_user(id => user_id(4), sub => 'mallory', state => 'suspended',
          issuer => $url{found});

seed_user(id => user_id(2), sub => 'olga', roles => 'oncall@' . time,
          issuer => 'https://login.example.com');
seed_user(id => user_id(3), sub => 'otto', roles => 'oncall@'
          . (time - 86400), issuer => 'https://login.example.com');

sub cookie { { Cookie => "session=$_[0]" } }

# What each of them says of itself. Nobody, a token of somebody else's and a
# forged one are asked of all of them, at the path given first.
my %example = (
    'scim.conf' => ['/a',
        ['an employee the directory has no group for', 'GET /a', $employee,
         403, 'role_missing'],
        ['suspended', 'GET /a', $suspended, 403, 'user_suspended'],
        ['the directory without a token', 'GET /scim/v2/Users', undef, 401,
         ''],
        ['the directory with somebody\'s', 'GET /scim/v2/Users', $employee,
         401, ''],
        ['the directory', 'GET /scim/v2/Users', 'of-the-directory', 200, '',
         qr/totalResults/],
        ['the directory elsewhere', 'GET /a', 'of-the-directory', 401,
         'token_malformed']],
    'events.conf' => ['/a',
        ['an employee', 'GET /a', $employee, 200, 'ok'],
        ['suspended', 'GET /a', $suspended, 403, 'user_suspended'],
        ['events are posted', 'GET /events', undef, 405, ''],
        ['an access token is none', 'POST /events', { Authorization =>
         "Bearer $employee", 'Content-Type' => 'application/json' }, 401, ''],
        ['nor is nothing', 'POST /events', { 'Content-Type' =>
         'application/secevent+jwt' }, 400, '', qr/"err":"invalid_request"/]],
    'quickstart.conf' => ['/books',
        ['the health check', 'GET /health', undef, 204, ''],
        ['a reader reads', 'GET /books', of('found', sub => 'rita',
         groups => 'api-readers'), 200, 'ok',
         qr/^X-Proxy-User-Roles: reader/m],
        ['a reader writes', 'POST /books', of('found', sub => 'rita',
         groups => 'api-readers'), 403, 'method_not_permitted'],
        ['an admin writes', 'POST /books', of('found', sub => 'root',
         groups => ['api-admins', 'x']), 200, 'ok',
         qr/^X-Proxy-User-Name: root/m],
        ['no group', 'GET /books', of('found'), 403, 'role_missing'],
        ['suspended', 'GET /books', of('found', sub => 'mallory',
         groups => ['api-admins']), 403, 'user_suspended']],
    'roles-and-profiles.conf' => ['/',
        ['a reader reads', 'GET /', $reader, 200, 'ok'],
        ['a reader writes', 'POST /', $reader, 403, 'method_not_permitted'],
        ['an admin reads, as a reader', 'GET /', $admin, 200, 'ok'],
        ['and writes', 'PUT /', $admin, 200, 'ok'],
        ['and deletes', 'DELETE /', $admin, 200, 'ok'],
        ['on call', 'DELETE /', of('company', sub => 'olga'), 200, 'ok'],
        ['on call yesterday', 'GET /', of('company', sub => 'otto'), 403,
         'role_missing'],
        ['a payment', 'POST /payments/', $admin, 401, 'requirement_failed'],
        ['a payment, better logged in', 'POST /payments/', of('company',
         sub => 'root', groups => ['api-admins'], acr => 'gold'), 200, 'ok'],
        ['a browser asks', 'OPTIONS /app/', { Origin => 'https://a.b',
         'Access-Control-Request-Method' => 'GET' }, 200, 'preflight'],
        ['and then must say who', 'GET /app/', undef, 401, 'no_credential'],
        ['a new one', 'POST /new/', $reader, 200, 'method_not_permitted'],
        ['suspended', 'GET /', $suspended, 403, 'user_suspended']],
    'without-redis.conf' => ['/a',
        ['an employee reads', 'GET /a', $employee, 200, 'ok',
         qr/\A(?!.*^Authorization).*^X-Proxy-User-Roles: employee/ms],
        ['an employee writes', 'POST /a', $employee, 403,
         'method_not_permitted'],
        ['an admin writes', 'POST /a', $admin, 200, 'ok'],
        ['a report without the scope', 'GET /reports/1', $employee, 403,
         'scope_missing'],
        ['a report', 'GET /reports/1', of('company',
         scope => 'x reports.read'), 200, 'ok',
         qr/^X-Proxy-User-Name: alice/m],
        ['a report is not written', 'POST /reports/1', of('company',
         scope => 'reports.read'), 403, 'method_not_permitted']],
    'hardened.conf' => ['/a',
        ['the health check', 'GET /health', undef, 204, ''],
        ['a reader reads', 'GET /a', $reader, 200, 'ok',
         qr/\A(?!.*^Authorization).*^X-Proxy-User-Name: rita/ms,
         'RateLimit-Policy: "rate";q=10;w=1, "quota";q=10000;w=86400, '
         . '"concurrency";q=10;qu="concurrent-requests"'],
        ['a reader writes', 'POST /a', $reader, 403,
         'method_not_permitted', '!RateLimit'],
        ['an admin writes', 'POST /a', $admin, 200, 'ok'],
        ['an old token', 'GET /a', of('company', iat => time - 7200), 401,
         'token_too_old'],
        ['no group', 'GET /a', $employee, 403, 'role_missing'],
        ['suspended', 'GET /a', $suspended, 403, 'user_suspended'],
        (map { ['one who tries', 'GET /a', $forged, 401, 'token_signature'] }
             1 .. 27),
        ['too often', 'GET /a', $forged, 429, 'too_many_failures',
         'RateLimit-Policy: "failures";q=30;w=60'],
        ['who works goes on', 'GET /a', $reader, 200, 'ok']],
    'two-issuers.conf' => ['/',
        ['a reader', 'GET /a', $reader, 200, 'ok',
         qr/^X-Proxy-User-Issuer: company/m],
        ['a partner', 'GET /a', $partner, 403, 'issuer_not_accepted'],
        ['a partner orders', 'POST /orders/', $partner, 200, 'ok',
         qr/^X-Proxy-User-Roles: partner/m],
        ['a partner deletes', 'DELETE /orders/', $partner, 403,
         'method_not_permitted'],
        ['a reader reads orders', 'GET /orders/', $reader, 200, 'ok'],
        ['a reader orders', 'POST /orders/', $reader, 403,
         'method_not_permitted'],
        ['an admin deletes', 'DELETE /orders/', $admin, 200, 'ok'],
        ['a partner\'s old token', 'GET /orders/', of('partner',
         iat => time - 7200), 401, 'token_too_old'],
        ['suspended', 'GET /orders/', $suspended, 403, 'user_suspended']],
    'opaque-tokens.conf' => ['/a',
        ['a reader reads', 'GET /a', 'known', 200, 'ok',
         qr/\A(?!.*^Authorization).*^X-Proxy-User-Name: rita/ms],
        ['a reader writes', 'POST /a', 'known', 403, 'method_not_permitted'],
        ['a token that is no token', 'GET /a', 'a b', 400,
         'credential_malformed']],
    'audit-to-syslog.conf' => ['/a',
        ['the health check', 'GET /health', undef, 204, ''],
        ['a reader', 'GET /a', $reader, 200, 'ok',
         qr/\A(?!.*^Authorization).*^X-Request-Id: [0-9a-f]{32}/ms],
        ['a reader writes', 'POST /a', $reader, 403,
         'method_not_permitted'],
        ['a reader pays', 'GET /payments/', $reader, 403, 'role_missing'],
        ['an admin pays', 'POST /payments/', $admin, 200, 'ok'],
        ['suspended', 'GET /a', $suspended, 403, 'user_suspended']],
    'api-and-website.conf' => ['/api/',
        ['a member reads', 'GET /api/', of('company', scope => 'api'), 200,
         'ok', qr/^X-Proxy-User-Name: alice/m],
        ['no scope', 'GET /api/', $employee, 403, 'scope_missing'],
        ['a member writes', 'POST /api/', of('company', scope => 'api'),
         403, 'method_not_permitted'],
        ['an admin writes', 'POST /api/', of('company', sub => 'root',
         scope => 'api', groups => ['api-admins']), 200, 'ok'],
        ['a cookie at the API', 'GET /api/', cookie($admin), 401,
         'no_credential'],
        ['the site, nobody', 'GET /', undef, 302, 'no_credential'],
        ['the site, a bearer', 'GET /', $admin, 302, 'no_credential'],
        ['the site, a member', 'GET /', cookie($employee), 200, 'ok'],
        ['the site, suspended', 'GET /', cookie($suspended), 403,
         'user_suspended'],
        ['admins only', 'GET /admin/', cookie($employee), 403,
         'role_missing'],
        ['an admin', 'GET /admin/', cookie($admin), 200, 'ok'],
        ['news for nobody', 'GET /news/', undef, 200, 'anonymous',
         qr/\A(?!.*^X-Proxy-User)/ms],
        ['news for a member', 'GET /news/', cookie($employee), 200, 'ok',
         qr/^X-Proxy-User-Name: alice/m],
        ['news, a bad cookie', 'GET /news/', cookie('x'), 302,
         'token_malformed'],
        ['news by nobody', 'POST /news/', undef, 302, 'no_credential'],
        ['the login page', 'GET /login', undef, 200, '']],
);

# Paths and addresses are ours; all else is as it stands. What is marked as
# "yours" and is not known here shows in what is left over.
sub adapted {
    my ($text, $root, $port) = @_;

    my $module = $ENV{PROXY_USER_MODULE};
    my ($echo) = $ENV{TEST_NGINX_ECHO} =~ m{^http://(.*)};
    my $syslog_port = $syslog->sockport;
    my $temp = join '', map { "${_}_temp_path $root/$_;\n" }
        qw(client_body proxy fastcgi uwsgi scgi);

    write_file("$root/conf/test.conf", "${temp}access_log off;\n"
               . "add_header X-Reason \$proxy_user_reason always;\n");

    while ($text =~ /^\s*jwks_file\s+([^\s;]+);/mg) {
        write_file("$root/conf/$1", jwks(jwk($1 =~ /partner/ ? 'ec256'
                                                             : 'rsa1')));
    }

    write_file("$root/conf/gateway-secret", "secret\n");
    write_file("$root/conf/scim-tokens",
               'okta:' . sha256_hex('of-the-directory') . "\n");

    $text =~ s{^load_module\s+modules/ngx_proxy_user_module\.so;}
              {$module eq '' ? '' : "load_module $module;"}me;
    $text =~ s{^(\s*)http \{}{$1http \{\ninclude test.conf;}m;
    $text =~ s{https://login\.example\.com}{$idp->{url}}g
        unless $text =~ /jwks_file\s+login/;
    $text =~ s{127\.0\.0\.1:6379}{127.0.0.1:$redis->{port}}g;
    $text =~ s{127\.0\.0\.1:8080}{127.0.0.1:$port}g;
    $text =~ s{127\.0\.0\.1:9000}{$echo}g;
    $text =~ s{127\.0\.0\.1:514}{127.0.0.1:$syslog_port}g;
    $text =~ s{/var/log/nginx/}{$root/logs/}g;
    return $text;
}

sub left_over {
    my ($text) = @_;

    my @known = (qr{/var/log/nginx/}, qr{127\.0\.0\.1:(?:6379|8080|9000|514)},
                 qr{\b(?:login|partner|api)\.example\.\w+}, qr{[\w-]+\.json},
                 qr{=gateway-secret;}, qr{audience=website;},
                 qr{scim-tokens|^\s*proxy_user_scim_role "API \w+" \w+;});

    # A directive may go on over several lines; the last one has the mark.
    my @marked;
    my $directive = '';
    for (split /\n/, $text) {
        next if /^\s*(?:#|$)/;
        $directive .= $_;
        push @marked, $directive if /#\s*yours/;
        $directive = '' if /[;{}]\s*(?:#.*)?$/;
    }

    return grep { my $line = $_; !grep { $line =~ $_ } @known } @marked;
}


my @file = sort glob 'examples/*.conf';
ok @file > 0, 'there are examples';
is_deeply [grep { !$example{ basename($_) } } @file], [],
    'each of them has its tests here';
is_deeply [grep { !-f "examples/$_" } sort keys %example], [],
    'and no other has';

for my $file (@file) {
    my $name = basename($file);
    my ($path, @case) = @{ $example{$name} || next };
    my $text = read_file($file);
    my $home = $text =~ /^\s*jwks_file/m ? 'company' : 'found';

    is join("\n", left_over($text)), '', "$name: what is yours is known";

    my ($ok, $said) = nginx_t(text => sub { adapted($text, @_) });
    is $ok, 1, "$name: nginx -t" or diag $said;
    unlike $said, qr/\[(?:warn|error)\]/, "$name: without a warning";
    next unless $ok;

    my $nginx = start_nginx(text => sub { adapted($text, @_) });
    check_cases($nginx, $name,
        ['nobody', "GET $path", undef, 401, 'no_credential'],
        ['somebody else\'s token', "GET $path", $foreign, 401,
         'token_issuer'],
        ['a forged token', "GET $path", forged($home), 401,
         'token_signature'],
        ['another issuer\'s key', "GET $path", of('partner', iss =>
         $url{$home}), 401, 'token_key_unknown']);
    check_cases($nginx, $name, @case);

    for my $log (glob "$nginx->{root}/logs/proxy_user.log") {
        my @line = wait_audit($log, 1);
        ok @line > 0, "$name: the audit file has lines";
    }

    if ($name eq 'roles-and-profiles.conf') {
        like read_file("$nginx->{root}/logs/policy.txt"),
            qr{^  / +a role +GET POST PUT DELETE PATCH +GET POST}m,
            "$name: the policy";
    }

    if ($name eq 'api-and-website.conf') {
        like $nginx->get('/')->{headers}{location}, qr{/login$},
            "$name: the way to the login page";
    }

    if ($name eq 'audit-to-syslog.conf') {
        my $said = datagrams();
        like $said, qr/ gate: \{.*"decision":"deny"/, "$name: refusals";
        unlike $said, qr/"decision":"allow"/, "$name: and nothing else";
        like read_file("$nginx->{root}/logs/proxy_user.log"),
            qr/"decision":"allow"/, "$name: payments are written down";
        is scalar(grep { /eyJ/ } map { read_file($_) }
                  glob "$nginx->{root}/logs/*"), 0, "$name: no credential";
    }

    ok $nginx->stop, "$name: an end";
    ok !$nginx->trouble, "$name: without trouble";
}


# A complete configuration of the README: what a newcomer copies first.

sub blocks {
    my ($file) = @_;

    my @block = read_file($file) =~ /^```nginx\n(.*?)^```$/msg;
    return grep { /^\s*http \{/m && /^\s*events \{/m } @block;
}

SKIP: {
    skip 'there is no README yet', 1 unless -f 'README.md';

    my @block = blocks('README.md');
    ok @block > 0, 'the README has a complete configuration';

    for my $n (1 .. @block) {
        my $text = $block[$n - 1];
        my $name = "README.md, configuration $n";

        my ($ok, $said) = nginx_t(text => sub { adapted($text, @_) });
        is $ok, 1, "$name: nginx -t" or diag $said;
        unlike $said, qr/\[(?:warn|error)\]/, "$name: without a warning";
        next unless $ok;

        my ($issuer) = $text =~ /^\s*issuer\s+([^\s;]+);/m;
        my ($audience) = $text =~ /^\s*audience\s+([^\s;]+)/m;
        my %claim = (iss => $issuer, aud => $audience);

        my $nginx = start_nginx(text => sub { adapted($text, @_) });
        check_cases($nginx, $name,
            ['nobody', 'GET /', undef, 401, 'no_credential'],
            ['a forged token', 'GET /', token(key => 'rsa2',
             kid => 'rsa1', claims => \%claim), 401, 'token_signature']);
        like $nginx->get('/', token(claims => \%claim))
            ->{headers}{'x-reason'}, qr/^(?:ok|role_missing|scope_missing)$/,
            "$name: a token is understood";
        ok $nginx->stop, "$name: an end";
    }
}

# Pages have complete configurations too.
for my $file (sort glob 'docs/*.md') {
    for my $text (blocks($file)) {
        my ($ok, $said) = nginx_t(text => sub { adapted($text, @_) });
        is $ok, 1, "$file: nginx -t" or diag $said;
    }
}

# Who builds by hand needs what make would have installed.
{
    my ($build) = content('tools/install-deps') =~ /^ +build\)\n(.*?);;/ms;
    my ($said) = content('README.md')
        =~ /^ +apt-get install (build-essential (?:.*\\\n)*.*)/m;

    is_deeply [sort grep { $_ ne '\\' } split ' ', $said],
        [sort map { split } $build =~ /packages\+=\(([^)]*)\)/g],
        'README: the packages that building needs';
}

done_testing;


sub content {
    my ($file) = @_;

    open my $in, '<', $file or die "$file: $!\n";
    local $/;
    return scalar <$in>;
}


sub datagrams {
    my $all = '';

    while (1) {
        vec(my $ready = '', fileno $syslog, 1) = 1;
        select($ready, undef, undef, 0.2) or return $all;
        $syslog->recv(my $datagram, 65536);
        $all .= "$datagram\n";
    }
}
