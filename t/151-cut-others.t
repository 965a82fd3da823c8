# Long responses end for whatever a caller was let in with, and whatever they
# speak: keys, certificates, calls of gRPC; when a burst of changes leaves
# nobody able to say who it was; and thousands of one user at once.

use strict;
use warnings;

use Cwd qw(abs_path);
use IO::Select;
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';
use ProxyUser;
use ProxyUser::Store qw(within proxy_user);
use ProxyUser::Stream;

# What is promised is a second; a machine that has much to do gets more.
my $SOON = 5;
my $MANY = 1000;

my $DATA = abs_path('t/data');
my $H2 = $ENV{TEST_NGINX_FREE_PORT_1};
my $TLS = $ENV{TEST_NGINX_FREE_PORT_2};

redis_start();

my (@node, @pipe);
END { local $?; kill TERM => @node if @node }

my $events = backend('stream.mjs');
my $calls = backend('grpc.mjs');

# A zone whose ring of changes has room for 128.
my $nginx = start_nginx(
    connections => 8192, http => <<'END', server => <<"END");
proxy_user_zone 256k;
proxy_user_redis unix:$TEST_NGINX_REDIS_SOCKET;
END
listen 127.0.0.1:$H2 http2;
listen 127.0.0.1:$TLS ssl;
ssl_certificate $DATA/tls-server.pem;
ssl_certificate_key $DATA/tls-server.key;
ssl_client_certificate $DATA/tls-ca.pem;
ssl_verify_client optional;
proxy_user on;
proxy_user_credential bearer api_key=X-API-Key certificate;
proxy_user_audit logs/audit.log;
proxy_buffering off;
location / {
    proxy_pass http://127.0.0.1:$events;
}
location /call {
    grpc_pass grpc://127.0.0.1:$calls;
}
location /file {
    limit_rate 1k;
    alias $ENV{PROXY_USER_COMMAND};
}
END

sub backend {
    my ($script) = @_;

    my $port = free_port();
    push @node, open my $up, '-|', mortal('TERM'), 'tools/node',
        "t/npm/$script", $port or die "node: $!\n";
    push @pipe, $up;
    <$up>;
    return $port;
}

sub of { my ($sub) = @_; token(claims => { sub => $sub }) }

sub stream { my ($uri, @with) = @_; stream_on($nginx, $uri, @with) }

sub done {
    my ($code, $text) = proxy_user(@_);

    die "@_: $text\n" if $code;
    return $text;
}

sub cut_of {
    my ($uri) = @_;
    my $line;

    within(5, sub {
        ($line) = grep { $_->{uri} eq $uri && $_->{cut} }
            audit_lines("$nginx->{root}/logs/audit.log");
    });
    return $line ? $line->{cut} : undef;
}

my $bystander = stream('/by/sse', token => of('bystander'));


subtest 'API keys' => sub {
    done(qw(user create --user-name batch --role reader --issuer),
         issuer_url(), qw(--subject batch));

    my ($first, $second) = map {
        my ($secret) = done(qw(key create name:batch)) =~ /(puk_\w\S+)/;
        { secret => $secret, id => substr($secret, 4, 10),
          uri => "/key$_/sse",
          open => stream("/key$_/sse",
                         headers => [['X-API-Key', $secret]]) }
    } 1, 2;

    done(qw(key revoke), $first->{id});
    ok(defined ended($first->{open}, $SOON), 'a revoked one ends');
    is(cut_of($first->{uri}), 'key_revoked', 'and that is why');
    ok(goes_on($second->{open}), 'the other of the same user goes on');

    my $token = stream('/token/sse', token => of('batch'));
    done(qw(user suspend name:batch));
    ok(defined ended($second->{open}, $SOON), 'until the user is suspended');
    is(cut_of($second->{uri}), 'user_suspended', 'and that is why');
    ok(defined ended($token, $SOON), 'which ends what a token opened');
};


subtest 'certificates' => sub {
    done(qw(user create --user-name machine --role reader));
    my ($digest) = done(qw(cert add name:machine), "$DATA/tls-client.pem")
        =~ /certificate (\S+)/;

    my $pid = open my $curl, '-|', mortal('TERM'), 'curl', '-s', '-N', '-m',
        60, '--cacert', "$DATA/tls-ca.pem", '--cert', "$DATA/tls-client.pem",
        '--key', "$DATA/tls-client.key", '--resolve',
        "localhost:$TLS:127.0.0.1", "https://localhost:$TLS/cert/sse"
        or die "curl: $!\n";

    like(scalar <$curl>, qr/^data: x/, 'an answer has begun');
    done(qw(cert revoke name:machine), $digest);

    my $start = time;
    1 while <$curl>;
    cmp_ok(time - $start, '<', $SOON, 'the revoked certificate ends it');
    close $curl;
    is(cut_of('/cert/sse'), 'certificate_unknown', 'and that is why');
};


subtest 'calls of gRPC' => sub {
    my $c = http2_client($H2)->connect;
    my $call = sub {
        $c->open(POST => "/call/$_[0]", [Authorization => 'Bearer ' . of($_[0])],
                 ['Content-Type', 'application/grpc'], [TE => 'trailers'],
                 { body => "\0\0\0\0\0" });
    };
    my ($hers, $his) = ($call->('hilda'), $call->('henry'));
    my $read = sub { $c->take(time + 1); 1 };
    my $bytes = sub { length($c->{stream}{$_[0]}{body} // '') };

    ok(within(10, sub { $read->(); $bytes->($hers) && $bytes->($his) }),
       'two calls have begun');

    my $hilda = redis('HGET', '{pu}:handle:sub:' . handle_digest('hilda'),
                      'user');
    done(qw(user delete), $hilda);
    is(cut_of('/call/hilda'), 'user_deleted', 'one is cut off');

    my $so_far = $bytes->($his);
    ok(within(5, sub { $read->(); $bytes->($his) > $so_far + 10 }),
       'the other goes on');
    $so_far = $bytes->($hers);
    $read->() for 1 .. 3;
    is($bytes->($hers), $so_far, 'and nothing more comes of the first');
};


# All at once, so that no worker can have looked between two of them.
subtest 'more changes than anybody remembers' => sub {
    my $mine = stream('/r/sse', token => of('rita'));
    my $user = redis('HGET', '{pu}:handle:sub:' . handle_digest('rita'),
                     'user');

    redis('EVAL', <<'LUA', 2, "{pu}:user:$user", '{pu}:log', $user, user_id(0));
local function entry(user)
    redis.call('XADD', KEYS[2], '*', 'op', 'suspend', 'user', user,
               'handle', '', 'version', 2, 'actor', 'test', 'source', 'cli',
               'reason', '')
end
redis.call('HSET', KEYS[1], 'state', 'suspended', 'version', 2,
           'suspended_by', 'cli')
entry(ARGV[1])
for i = 1, 600 do
    entry(string.sub(ARGV[2], 1, 19) .. string.format('%05d', i))
end
LUA

    ok(defined ended($mine, $SOON), 'it is found out all the same');
    is(cut_of('/r/sse'), 'user_suspended', 'and that is why');
};


subtest "$MANY of one user" => sub {
    my $token = of('many');
    my @many = map { stream('/file', token => $token) } 1 .. $MANY;
    my @rest = map { stream("/rest$_/sse", token => of("other$_")) } 1 .. 20;

    my $user = redis('HGET', '{pu}:handle:sub:' . handle_digest('many'),
                     'user');
    done(qw(user suspend), $user);

    my $open = IO::Select->new(map { $_->{socket} } @many);
    my $end = time + 2 * $SOON;

    while ($open->count && time < $end) {
        for my $socket ($open->can_read(0.2)) {
            my $n = sysread $socket, my $bytes, 65536;
            $open->remove($socket) if !$n;
        }
    }

    is($open->count, 0, 'all of them end');
    is(scalar(grep { goes_on($_) } @rest), 20, 'and none of others');
};

ok(goes_on($bystander), 'nobody else was cut off');
$bystander->close;
kill TERM => splice @node;

done_testing();
