package ProxyUser::Faults::Redis;

# What Redis can do to nginx, one fault after the other, under load by callers
# of whom nginx knows some and Redis knows more.
#
#   my @line = redis_faults(each => sub { ... }, only => qr/hang/);
#
# A user whom nginx does not know and Redis cannot tell is 503, and that is
# right; whoever is known is served; nobody suspended comes in, known or not.

use strict;
use warnings;

use Exporter qw(import);
use Time::HiRes qw(sleep);

use ProxyUser;
use ProxyUser::Faults;
use ProxyUser::Store qw(as store_http store_server warm within proxy_user);

our @EXPORT = qw(redis_faults);

my $LIMIT = 0.1 + 1;            # timeout= and what a busy machine needs
my $UNKNOWN = qr/^503 store_unavailable$/;
my $serial = 0;


sub start {
    my ($url, %opt) = @_;

    return start_nginx(workers => 2, %opt,
        http => store_http(url => $url, redis => $opt{redis},
                           http => $opt{http}),
        server => store_server());
}


# Who is in Redis; the names of those nginx has not heard of.
sub people {
    my ($redis, $from, $to) = @_;

    $serial = $to;
    seed_user(id => user_id(1), sub => 'known', on => $redis);
    seed_user(id => user_id(2), sub => 'gone', on => $redis,
              state => 'suspended');
    seed_user(id => user_id(1000 + $_), sub => "gone-$_", on => $redis,
              state => 'suspended') for $from .. $to;
    return map { "gone-$_" } $from .. $to;
}


# Those that every fault meets. Of "many" suspended ones nginx has never
# heard: each request is the first of somebody.
sub callers {
    my ($redis, %opt) = @_;

    my @gone = people($redis, $serial + 1, $serial + ($opt{many} // 200));
    my $known = as('known');
    my @unsure = $opt{certain} ? () : (also => $UNKNOWN);
    my $turn = 0;

    return (
        caller_of('known', token => $known, right => qr/^200 ok$/,
                  allow => 1, id => qr/^\Q@{[ user_id(1) ]}\E$/,
                  $opt{cold} || $opt{lost} ? @unsure : ()),
        caller_of('new', token => sub { as("new-$_[0]-$serial") },
                  right => qr/^200 ok$/, allow => 1, @unsure),
        caller_of('suspended', token => as('gone'), @unsure,
                  right => qr/^403 user_suspended$/),
        caller_of('suspended, not yet known', @unsure,
                  token => sub { as($gone[ $turn++ % @gone ]) },
                  right => qr/^403 user_suspended$/),
        caller_of('forged', right => qr/^401 token_signature$/,
                  token => tamper($known, 2, sub { $_[0] ^ "\1" })),
        caller_of('no role', token => $known, uri => '/admin',
                  right => qr/^403 role_missing$/,
                  $opt{cold} || $opt{lost} ? @unsure : ()),
        caller_of('nobody', right => qr/^401 no_credential$/),
    );
}


sub get_known {
    my ($nginx, @caller) = @_;

    warm($nginx);
    for my $caller (grep { $_->{name} =~ /^(?:known|suspended)$/ } @caller) {
        $nginx->ask($caller->{ask}->('x')) for 1 .. 8;
    }
}


# Every answer of the fake is spoilt so.
my @spoilt = (
    ['refuses connections', 'refuse'],
    ['one byte a second', 'slow'],
    ['ends the connection within an answer', 'cut'],
    ['a number for everything', 'integer'],
    ['an empty array for everything', 'empty'],
    ['LOADING', 'loading'],
    ['READONLY', 'readonly'],
    ['NOAUTH', 'noauth'],
    ['a string of 512 MB', 'reply', "\$536870912\r\n" . 'x' x 10_000],
    ['arrays in arrays, 1,000 deep', 'deep'],
    ['bytes that mean nothing', 'garbage'],
);


sub redis_faults {
    my (%opt) = @_;

    my $redis = redis_start();
    my $fake = fake_redis($redis);
    my $nginx = start("redis://127.0.0.1:$fake->{port}");
    my $wanted = sub { "Redis: $_[0]" =~ ($opt{only} // qr/./) };
    my @line;

    for (@spoilt, ['hangs', undef]) {
        my ($title, $mode, $bytes) = @$_;
        next unless $wanted->($title);

        # That is what a change log says that is gone: nobody is known then.
        my $cold = defined $mode && $mode eq 'empty';

        push @line, one($nginx, $redis, $title, \%opt, lost => $cold,
            begin => sub {
                $mode ? $fake->mode($mode, defined $bytes
                                        ? (bytes => $bytes) : ())
                      : $redis->freeze;
            },
            end => sub { $mode ? $fake->mode('pass') : $redis->thaw });
    }

    $nginx->stop;
    $fake->stop;
    push @line, wrong_name(\%opt) if $wanted->('TLS with a wrong name');
    push @line, promotion(\%opt) if $wanted->('a replica is promoted');
    push @line, older(\%opt) if $wanted->('starts again with an older copy');
    push @line, empty(\%opt) if $wanted->('starts again with nothing');
    return @line;
}


sub one {
    my ($nginx, $redis, $title, $opt, %how) = @_;

    my @caller = callers($redis, %how);
    get_known($nginx, @caller) unless $how{cold};
    # Whoever is made first gives the store its name.
    $nginx->ask($caller[1]{ask}->("first-$title")) unless $how{cold};
    my $line = new_line("Redis: $title", nginx => $nginx, limit => $LIMIT,
                        changing => $how{changing});
    run_load($line, callers => \@caller,
             seconds => $opt->{seconds} // 2, %how);
    $opt->{each}->($line) if $opt->{each};
    return $line;
}


# Its certificate is for another host from the start until a reload names the
# right one.
sub wrong_name {
    my ($opt) = @_;

    my $redis = redis_start(tls => 1);
    my $url = "rediss://127.0.0.1:$redis->{tls_port}";
    my %named = map {
        $_ => 'connect_timeout=1s ca_file=' . ProxyUser::Token::DATA
            . "/tls-ca.pem server_name=$_"
    } qw(localhost other.example);

    my $nginx = start($url, redis => $named{'other.example'});
    my $line = one($nginx, $redis, 'TLS with a wrong name', $opt, cold => 1,
        changing => 1,
        end => sub {
            $nginx->configure(workers => 2, server => store_server(),
                http => store_http(url => $url, redis => $named{localhost}));
            $nginx->reload or die "no reload: ", $nginx->log;
        });
    $nginx->stop;
    return $line;
}


# nginx follows a name that leads to another server from one moment to the
# next, as a floating address does.
sub promotion {
    my ($opt) = @_;

    my $second = redis_start();
    my $first = redis_start();
    $second->command('REPLICAOF', '127.0.0.1', $first->{port});
    my $link = "$ENV{TEST_NGINX_TMP}/redis-link";
    symlink $first->{socket}, $link or die "$link: $!\n";
    my $nginx = start("unix:$link");

    my $line = one($nginx, $first, 'a replica is promoted', $opt,
        begin => sub {
            my $n = $first->command('DBSIZE');
            within(10, sub { $second->command('DBSIZE') >= $n })
                // die "the replica does not follow\n";
            $first->stop;
            symlink $second->{socket}, "$link.new" or die "$!\n";
            rename "$link.new", $link or die "$!\n";
            $second->command('REPLICAOF', 'NO', 'ONE');
        });
    $nginx->stop;
    $_->stop for $first, $second;
    return $line;
}


# Ends, and comes back on the same port with what it had a while ago.
sub older {
    my ($opt) = @_;

    my $redis = redis_start();
    my $nginx = start("redis://127.0.0.1:$redis->{port}");

    my $line = one($nginx, $redis, 'starts again with an older copy', $opt,
        begin => sub {
            $redis->command('SAVE');
            change_user(user_id(1), 'update', on => $redis, name => 'new')
                for 1 .. 20;
            sleep 0.3;
            $redis->stop;
        },
        end => sub { $redis->run or die "redis does not start\n" });
    $nginx->stop;
    $redis->stop;
    return $line;
}


# All is lost: nobody new until somebody has said that this is as it should
# be, and whoever was suspended is not a new user either.
sub empty {
    my ($opt) = @_;

    my $redis = redis_start();
    my $nginx = start("redis://127.0.0.1:$redis->{port}");
    my $from = $serial + 1;
    my @caller = callers($redis);
    my $to = $serial;
    get_known($nginx, @caller);
    my $line = new_line('Redis: starts again with nothing',
                        nginx => $nginx, limit => $LIMIT);
    $nginx->ask($caller[1]{ask}->('first'));

    # It says that nobody is there, and that is an answer.
    for (@caller) {
        $_->{also} = $UNKNOWN if $_->{name} =~ /known|suspended|role/;
    }

    run_load($line, callers => \@caller, seconds => $opt->{seconds} // 2,
        begin => sub { $redis->stop; $redis->run or die "no redis\n" },
        end => sub {
            people($redis, $from, $to);
            my ($code, $text) = proxy_user('--redis',
                "redis://127.0.0.1:$redis->{port}", 'doctor',
                '--accept-store');
            $line->note("doctor: $text") if $text !~ /accept/;
        });
    $nginx->stop;
    $redis->stop;
    $opt->{each}->($line) if $opt->{each};
    return $line;
}


1;
